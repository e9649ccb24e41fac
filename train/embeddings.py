"""Static token embeddings from co-occurrence counts: a start for pretraining that costs minutes instead of millions of tokens."""

from __future__ import annotations

import logging

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

log = logging.getLogger("train.embeddings")

SPAN = 5  # tokens on either side that count as context, nearer ones more
SMOOTHING = 0.75  # of the context distribution
STANDARD_DEVIATION = 0.05  # of the vectors: about what trained BERT embeddings have


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
    vectors = left * values**0.5
    return (vectors / vectors.std() * STANDARD_DEVIATION).astype(np.float32)


def _counts(tokens: NDArray[np.int32], vocabulary: int) -> scipy.sparse.csr_matrix:
    """Symmetric counts of tokens within SPAN of each other, weighted by 1 / distance."""
    counts = scipy.sparse.csr_matrix((vocabulary, vocabulary), dtype=np.float32)
    for distance in range(1, SPAN + 1):
        weights = np.full(len(tokens) - distance, 1 / distance, np.float32)
        pairs = scipy.sparse.coo_matrix((weights, (tokens[:-distance], tokens[distance:])), counts.shape)
        counts = counts + pairs.tocsr()
    return counts + counts.T
