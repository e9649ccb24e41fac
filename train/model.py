"""The joint model: one encoder pass a window, then small heads for passage types, triggers, and each trigger's participants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)
from transformers import AutoConfig, AutoModel, PreTrainedModel

from train.config import HeadShape, LossWeights
from train.model_config import IncidentConfig
from waqia.labels import LabelSet
from waqia.model.align import IGNORE
from waqia.model.merge import PAIR_FEATURES
from waqia.model.tensors import ends

DISTANCES = 8  # buckets of words on either side of the trigger, doubling in width: 1, 2, 3-4, 5-8, …, 65 and more
NEVER = -100.0  # logit of a span that ends before it begins; larger ones would round away the last digits of what is added to them
WIDTHS = 16  # span widths in words told apart; longer spans share the last


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many outputs each head has."""

    types: int
    statuses: int
    roles: int
    sectors: int

    @classmethod
    def of(cls, labels: LabelSet) -> Sizes:
        """The sizes that a label set asks for."""
        return cls(len(labels.incident_types), len(labels.statuses), len(labels.roles), len(labels.sectors))


class WindowHead(nn.Module):
    """Encoder states of tokens -> states of words, passage types and triggers."""

    def __init__(self, encoder_width: int, shape: HeadShape, sizes: Sizes) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(encoder_width, shape.width), nn.LayerNorm(shape.width))
        self.dropout = nn.Dropout(shape.dropout)
        self.type_attention = nn.Linear(shape.width, sizes.types)
        self.type_value = nn.Linear(shape.width, shape.width)
        self.type_weight = nn.Parameter(torch.randn(sizes.types, shape.width) * 0.02)
        self.type_bias = nn.Parameter(torch.full((sizes.types,), -3.0))
        self.trigger = nn.Sequential(nn.Linear(shape.width, shape.width), nn.GELU(), nn.Dropout(shape.dropout))
        self.trigger_out = nn.Linear(shape.width, 1 + sizes.types)
        self.inside_out = nn.Linear(shape.width, 1)
        self.type_to_trigger = nn.Parameter(torch.tensor(0.5))
        with torch.no_grad():  # begin with what is true of most words: no trigger begins, none goes on
            self.trigger_out.bias[0] = 6.0
            self.inside_out.bias.fill_(-4.0)

    def forward(self, tokens: Tensor, word_starts: Tensor, word_ends: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """tokens (B, T, H), word bounds (B, W) -> logits of types (B, K), triggers (B, W, 1 + K), inside (B, W); word_states (B, W, D)."""
        states = self.project(word_means(tokens, word_starts, word_ends))
        words = self.dropout(states)
        # Each type attends to the words that speak for it (label-wise attention, Mullenbach et al. 2018).
        padding = (word_ends == word_starts).unsqueeze(-1)
        weights = self.type_attention(words).masked_fill(padding, -1e4).softmax(1)  # (B, W, K)
        pooled = torch.einsum("bwk,bwd->bkd", weights, torch.tanh(self.type_value(words)))
        type_logits = (pooled * self.type_weight).sum(-1) + self.type_bias
        hidden = self.trigger(words)
        trigger_logits = self.trigger_out(hidden)
        lifted = F.pad(self.type_to_trigger * type_logits, (1, 0)).unsqueeze(1)
        return type_logits, trigger_logits + lifted, self.inside_out(hidden).squeeze(-1), states


class ParticipantsHead(nn.Module):
    """Word states with one trigger marked -> role spans, status and sectors.

    The trigger's words and type are added to every word's state, attention layers let words see each other with the trigger in
    view, and a span's score is a product of its first and last word (biaffine spans: Yu et al. 2020, GlobalPointer: Su et al. 2022).
    """

    def __init__(self, shape: HeadShape, sizes: Sizes) -> None:
        super().__init__()
        width = shape.width
        self.roles, self.role_width = sizes.roles, shape.role_width
        self.type_embedding = nn.Embedding(sizes.types, width)
        self.mark = nn.Linear(2 * width, width)
        self.distance = nn.Embedding(2 * DISTANCES + 1, width)
        self.layers = nn.ModuleList(AttentionLayer(width, shape.attention_heads, shape.dropout) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(shape.dropout)
        self.first, self.last = (nn.Linear(width, sizes.roles * (shape.role_width + 2)) for _ in range(2))
        self.width_bias = nn.Embedding(WIDTHS, sizes.roles)
        self.role_bias = nn.Parameter(torch.full((sizes.roles,), -5.0))
        self.status_out = nn.Linear(width, sizes.statuses)
        self.sector_out = nn.Linear(width, sizes.sectors)
        nn.init.zeros_(self.width_bias.weight)
        nn.init.normal_(self.distance.weight, std=0.02)
        nn.init.normal_(self.type_embedding.weight, std=0.5)
        # Two features of a span's ends begin as what its first word says alone, and its last: their partners begin as the constant 1.
        with torch.no_grad():
            for ends, constant in ((self.first, -1), (self.last, -2)):
                weight, bias = ends.weight.view(sizes.roles, -1, width), ends.bias.view(sizes.roles, -1)
                weight[:, :-2] /= shape.role_width**0.25
                weight[:, constant], bias[:, constant] = 0, 1

    def forward(self, states: Tensor, mask: Tensor, start: Tensor, stop: Tensor, type_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """states (N, W, D), mask (N, W), trigger (N,) -> role_logits (N, W, W, R), status_logits (N, S), sector_logits (N, W, C)."""
        place = torch.arange(states.shape[1], device=states.device)
        in_trigger = inside(place, start, stop).to(states.dtype)
        trigger = mean_over(states, in_trigger)
        mark = self.mark(torch.cat([trigger, self.type_embedding(type_)], -1)).unsqueeze(1)
        states = states + mark + self.distance(distance_bucket(place, start, stop))
        for layer in self.layers:
            states = layer(states, mask)
        states = self.dropout(self.norm(states))
        status = self.status_out(mean_over(states, in_trigger))
        return self._spans(states, place), status, self.sector_out(states)

    def _spans(self, states: Tensor, place: Tensor) -> Tensor:
        shape = (*states.shape[:2], self.roles, self.role_width + 2)
        product = torch.einsum("nird,njrd->nijr", self.first(states).view(shape), self.last(states).view(shape))
        width = place.unsqueeze(0) - place.unsqueeze(1)
        # One row a width of span, the last for those that end before they begin. What no trigger changes comes together first, (W, W, R):
        # every step over (N, W, W, R) costs.
        rows = torch.cat([self.width_bias.weight + self.role_bias, torch.full_like(self.role_bias, NEVER).unsqueeze(0)])
        return product + F.embedding(width.clamp(-1, WIDTHS - 1).remainder(WIDTHS + 1), rows)


class MergeHead(nn.Module):
    """Two trigger mentions -> do they tell the same happening; which of them is given first changes nothing."""

    def __init__(self, shape: HeadShape, sizes: Sizes) -> None:
        super().__init__()
        width = shape.width // 2
        self.project = nn.Sequential(nn.Linear(shape.width + sizes.types, width), nn.LayerNorm(width))
        self.hidden = nn.Sequential(nn.Linear(3 * width + PAIR_FEATURES + 1, width), nn.GELU(), nn.Dropout(shape.dropout))
        self.out = nn.Linear(width, 1)

    def forward(self, first: Tensor, second: Tensor, first_types: Tensor, second_types: Tensor, features: Tensor) -> Tensor:
        """States (P, D) and type probabilities (P, K) of both, features (P, F) -> logits (P,)."""
        a, b = (self.project(torch.cat([state, types], -1)) for state, types in ((first, first_types), (second, second_types)))
        alike = (first_types * second_types).sum(-1, keepdim=True)
        return self.out(self.hidden(torch.cat([a + b, (a - b).abs(), a * b, features, alike], -1))).squeeze(-1)


class AttentionLayer(nn.Module):
    """A pre-norm transformer layer over words."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """states (N, W, D), mask (N, W) with 1 for a word -> (N, W, D)."""
        n, words, width = states.shape
        q, k, v = self.qkv(self.norm(states)).view(n, words, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / (width // self.heads) ** 0.5
        weights = scores.masked_fill(mask.view(n, 1, 1, words) == 0, -1e4).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(n, words, width)
        states = states + self.dropout(self.out(mixed))
        return states + self.dropout(self.feed(states))


class IncidentModel(PreTrainedModel):
    """Encoder and heads; `forward` gives the training loss of a batch made by `train.features.collate`."""

    config_class = IncidentConfig
    base_model_prefix = ""
    accepts_loss_kwargs = True  # the loss divides by num_items_in_batch itself, so that it does not change with how a batch is cut
    _supports_sdpa = True
    _supports_flash_attn = True

    def __init__(self, config: IncidentConfig, encoder: PreTrainedModel | None = None) -> None:
        """Heads with fresh weights over an encoder: the one given, or one with random weights of the configuration's shape."""
        super().__init__(config)
        labels = config.labels
        shape: Any = config.encoder
        no_pooler = {"add_pooling_layer": False} if shape.model_type == "bert" else {}  # nothing here would train it
        self.encoder = AutoModel.from_config(shape, **no_pooler) if encoder is None else encoder
        self.window_head = WindowHead(shape.hidden_size, config.shape, Sizes.of(labels))
        self.participants_head = ParticipantsHead(config.shape, Sizes.of(labels))
        self.merge_head = MergeHead(config.shape, Sizes.of(labels))
        self.weights = config.weights
        self.post_init()

    @classmethod
    def over(cls, encoder: PreTrainedModel, shape: HeadShape, labels: LabelSet, weights: LossWeights) -> IncidentModel:
        """New heads over an encoder that is there."""
        return cls(IncidentConfig.of(encoder.config, shape, labels, weights), encoder)

    def take_weights(self, weights: LossWeights, types: Sequence[float] | None = None) -> None:
        """Weigh the losses, and the positive examples of each incident type, so from now on."""
        self.weights = weights
        self.config.loss = weights.model_dump()
        self.config.type_weights = None if types is None else list(types)

    def _init_weights(self, module: nn.Module) -> None:
        """The heads set their first weights themselves, where they are made."""

    def get_input_embeddings(self) -> nn.Module:
        """The encoder's token embeddings."""
        return self.encoder.get_input_embeddings()

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor, word_starts: Tensor, word_ends: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Token ids (B, T) and word bounds (B, W) -> what `WindowHead.forward` gives."""
        tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.window_head(tokens, word_starts, word_ends)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_starts: Tensor,
        word_ends: Tensor,
        type_targets: Tensor,
        type_asked: Tensor,
        trigger_targets: Tensor,
        inside_targets: Tensor,
        triggers: Tensor,
        asked: Tensor,
        spans: Tensor,
        pairs: Tensor,
        pair_features: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | int | None = None,
    ) -> dict[str, Tensor]:
        """The loss, a sum over windows divided by the windows of the whole step; shapes in `train.features.collate`.

        While evaluating, the logits of the passages' types (B, K) too.
        """
        type_logits, trigger_logits, inside_logits, states = self.encode(input_ids, attention_mask, word_starts, word_ends)
        rarity = None if self.config.type_weights is None else torch.tensor(self.config.type_weights, device=input_ids.device)
        loss = self.weights.types * type_loss(type_logits, type_targets, type_asked, rarity)
        loss = loss + self.weights.triggers * trigger_loss(trigger_logits, trigger_targets, type_asked, rarity)
        loss = loss + self.weights.inside * inside_loss(inside_logits, inside_targets)
        if len(asked):
            rows, start, stop, type_, status = triggers[asked].unbind(1)
            mask = (word_ends > word_starts).long()[rows]
            roles, statuses, sectors = self.participants_head(states[rows], mask, start, stop, type_)
            loss = loss + participants_loss(roles, statuses, sectors, status, spans, mask, self.weights)
        if len(pairs):
            same = self.merge_head(*mention_pairs(states, trigger_logits, triggers, pairs), pair_features)
            loss = loss + self.weights.merge * merge_loss(same, pairs, triggers)
        items = len(labels) if num_items_in_batch is None else num_items_in_batch
        return {"loss": loss / items} if self.training else {"loss": loss / items, "type_logits": type_logits}


def type_loss(logits: Tensor, targets: Tensor, asked: Tensor, rarity: Tensor | None = None) -> Tensor:
    """Binary cross-entropy summed over windows, mean over the types that were asked; all (B, K); rarity (K,) weighs the positives."""
    each = F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none", pos_weight=rarity)
    return ((each * asked).sum(1) / asked.sum(1).clamp(min=1)).sum()


def trigger_loss(logits: Tensor, targets: Tensor, asked: Tensor, rarity: Tensor | None = None) -> Tensor:
    """Cross-entropy summed over words; logits (B, W, 1 + K), targets (B, W) with -100 ignored; types not asked compete for nothing."""
    silent = F.pad(asked, (1, 0), value=1.0).unsqueeze(1) == 0
    weight = None if rarity is None else F.pad(rarity, (1, 0), value=1.0)
    masked = logits.float().masked_fill(silent, -1e4).transpose(1, 2)
    return F.cross_entropy(masked, targets, weight, ignore_index=IGNORE, reduction="sum")


def inside_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy summed over words; both (B, W), targets below 0 ignored."""
    each = F.binary_cross_entropy_with_logits(logits.float(), targets.clamp(min=0), reduction="none")
    return (each * (targets >= 0)).sum()


def participants_loss(
    role_logits: Tensor, status_logits: Tensor, sector_logits: Tensor, status: Tensor, spans: Tensor, mask: Tensor, weights: LossWeights
) -> Tensor:
    """Roles over all word pairs, sectors over gold spans (P, 5: place in asked, role, start, stop, sector), statuses over triggers."""
    pairs = (mask.unsqueeze(2) * mask.unsqueeze(1)).triu()
    trigger, role, start, stop, sector = spans.unbind(1)
    # Binary cross-entropy is softplus(logit), less the logit where the answer is yes: few are, so no dense targets are made.
    yes = torch.unique(torch.stack([trigger, *ends(start, stop), role]), dim=1).unbind(0)
    logits = role_logits.float()
    loss = weights.roles * ((F.softplus(logits).sum(-1) * pairs).sum() - logits[yes].sum())
    loss = loss + weights.statuses * F.cross_entropy(status_logits.float(), status, ignore_index=IGNORE, reduction="sum")
    place = torch.arange(mask.shape[1], device=mask.device)
    pooled = mean_over(sector_logits[trigger], inside(place, start, stop).to(sector_logits.dtype))
    return loss + weights.sectors * F.cross_entropy(pooled.float(), sector, ignore_index=IGNORE, reduction="sum")


def mention_pairs(states: Tensor, trigger_logits: Tensor, triggers: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Word states (B, W, D), trigger logits (B, W, 1 + K), triggers (N, 5), pairs (Q, 3) -> states (Q, D) and types (Q, K) of both."""
    rows, start, stop = triggers[:, :3].unbind(1)
    place = torch.arange(states.shape[1], device=states.device)
    mentions = mean_over(states[rows], inside(place, start, stop).to(states.dtype))
    types = trigger_logits[rows, start, 1:].detach().float().softmax(-1).to(mentions.dtype)
    a, b = pairs[:, 0], pairs[:, 1]
    return mentions[a], mentions[b], types[a], types[b]


def merge_loss(logits: Tensor, pairs: Tensor, triggers: Tensor) -> Tensor:
    """Binary cross-entropy over pairs (Q, 3), each weighing 1 / (mentions of its window - 1), so that a mention counts once; summed."""
    mentions = torch.bincount(triggers[:, 0])[triggers[pairs[:, 0], 0]]
    each = F.binary_cross_entropy_with_logits(logits.float(), pairs[:, 2].float(), reduction="none")
    return (each / (mentions - 1)).sum()


def word_means(tokens: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Mean state of each word's tokens; tokens (B, T, H), bounds (B, W) -> (B, W, H); zeros where a word is padding."""
    sums = F.pad(tokens.float().cumsum(1), (0, 0, 1, 0))
    width = tokens.shape[-1]
    upto = sums.gather(1, ends.unsqueeze(-1).expand(-1, -1, width))
    before = sums.gather(1, starts.unsqueeze(-1).expand(-1, -1, width))
    return ((upto - before) / (ends - starts).clamp(min=1).unsqueeze(-1)).to(tokens.dtype)


def inside(place: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Which words lie in half-open ranges; place (W,), ranges (N,) -> (N, W)."""
    return (place >= start.unsqueeze(1)) & (place < stop.unsqueeze(1))


def mean_over(states: Tensor, chosen: Tensor) -> Tensor:
    """Mean of states (N, W, D) over the words with chosen (N, W) == 1 -> (N, D)."""
    return (states * chosen.unsqueeze(-1)).sum(1) / chosen.sum(1, keepdim=True).clamp(min=1)


def distance_bucket(place: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Signed distance of each word from a trigger in doubling buckets; place (W,), trigger (N,) -> (N, W) in [0, 2 * DISTANCES]."""
    first, last = ends(start, stop)
    # Compared, not computed by a logarithm: at 2, 4, 8 the last bit of that differs between runtimes.
    edges = torch.tensor([1, *(2**power + 1 for power in range(DISTANCES - 1))], device=place.device)
    after = ((place - last.unsqueeze(1)).unsqueeze(-1) >= edges).sum(-1)
    before = ((first.unsqueeze(1) - place).unsqueeze(-1) >= edges).sum(-1)
    return DISTANCES + after - before


AutoConfig.register(IncidentConfig.model_type, IncidentConfig, exist_ok=True)
AutoModel.register(IncidentConfig, IncidentModel, exist_ok=True)
