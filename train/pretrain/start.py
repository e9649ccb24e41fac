"""A start for pretraining that costs a minute instead of millions of tokens: token embeddings from counts, attention that looks around.

From small random weights masked language modelling stays a bag of words for millions of tokens (the held-out loss does not change when
positions are shuffled), until by chance some head attends to a neighbour. Here the first heads do so from the first step on, in the
spirit of mimetic initialisation (Trockman and Kolter 2023).
"""

from __future__ import annotations

import logging

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn
from transformers import BertModel

log = logging.getLogger("train.pretrain.start")

SPAN = 5  # tokens on either side that count as context, nearer ones more
SMOOTHING = 0.75  # of the context distribution
WORDS, POSITIONS = 0.06, 0.09  # root mean square of the word embeddings, amplitude of the position waves: a fifth of the variance
SHARPNESS = 7.0  # logit of the position looked at above the mean of the others: nine tenths of the attention in the first layer
LOOKS = ((-1, 1, -2), (-1, 1))  # by layer, how far from its own position each head looks; the heads after these start at random


def mimetic(encoder: BertModel, tokens: NDArray[np.int32], seed: int) -> None:
    """Set a random BertModel to start as a reader of neighbours; tokens: the training corpus as one flat array.

    As many features as one head has carry positions, as waves of random frequencies; the others carry the PPMI-SVD of the words.
    """
    config = encoder.config
    width, head = config.hidden_size, config.hidden_size // config.num_attention_heads
    rest = width - head
    random = np.random.default_rng(seed)
    waves = torch.from_numpy(random.uniform(0.1, 3.1, head // 2)).float()
    with torch.no_grad():
        words = encoder.embeddings.word_embeddings.weight.zero_()
        vectors = torch.from_numpy(ppmi_svd(tokens, config.vocab_size, rest, seed))
        words[:, :rest] = vectors * (WORDS * width**0.5 / vectors.square().sum(1).mean().sqrt())
        phase = torch.arange(config.max_position_embeddings).unsqueeze(1) * waves
        positions = encoder.embeddings.position_embeddings.weight.zero_()
        positions[:, rest:] = POSITIONS * torch.cat([phase.cos(), phase.sin()], 1)
        encoder.embeddings.token_type_embeddings.weight.zero_()
        share = POSITIONS**2 * head / 2 / (WORDS**2 * width + POSITIONS**2 * head / 2)  # of a layer-normed state's square
        scale = (SHARPNESS * head**0.5 / (share * width)) ** 0.5
        for layer, looks in zip(encoder.encoder.layer, LOOKS, strict=False):
            for number, offset in enumerate(looks[: config.num_attention_heads]):
                _look(layer.attention.self, number, offset, waves, scale)


def _look(attention: nn.Module, number: int, offset: int, waves: Tensor, scale: float) -> None:
    """Make a head's query at position i equal to the keys at i + offset: a rotation of the waves."""
    half = len(waves)
    rows, rest = slice(number * 2 * half, (number + 1) * 2 * half), attention.query.in_features - 2 * half
    cosine, sine = torch.diag((waves * offset).cos()), torch.diag((waves * offset).sin())
    attention.query.weight[rows] = 0
    attention.key.weight[rows] = 0
    attention.query.weight[rows, rest:] = scale * torch.cat([torch.cat([cosine, -sine], 1), torch.cat([sine, cosine], 1)])
    attention.key.weight[rows, rest:] = scale * torch.eye(2 * half)


def ppmi_svd(tokens: NDArray[np.int32], vocabulary: int, width: int, seed: int) -> NDArray[np.float32]:
    """Factors of the positive pointwise mutual information of tokens and contexts (Levy and Goldberg 2014): (vocabulary, width)."""
    counts = _counts(tokens, vocabulary)
    totals = np.asarray(counts.sum(1)).ravel() + 1e-9
    contexts = totals**SMOOTHING / (totals**SMOOTHING).sum()
    pairs = counts.tocoo()
    information = np.log(pairs.data / (totals[pairs.row] * contexts[pairs.col]))
    kept = information > 0
    ppmi = scipy.sparse.csr_matrix((information[kept], (pairs.row[kept], pairs.col[kept])), counts.shape, dtype=np.float32)
    log.info("%d positive pairs", ppmi.nnz)
    left, values, _ = randomized_svd(ppmi, width, n_iter=3, random_state=seed)
    return np.asarray(left * values**0.5, np.float32)


def _counts(tokens: NDArray[np.int32], vocabulary: int) -> scipy.sparse.csr_matrix:
    """Symmetric counts of tokens within SPAN of each other, weighted by 1 / distance."""
    counts = scipy.sparse.csr_matrix((vocabulary, vocabulary), dtype=np.float32)
    for distance in range(1, SPAN + 1):
        weights = np.full(len(tokens) - distance, 1 / distance, np.float32)
        pairs = scipy.sparse.coo_matrix((weights, (tokens[:-distance], tokens[distance:])), counts.shape)
        counts = counts + pairs.tocsr()
    return counts + counts.T
