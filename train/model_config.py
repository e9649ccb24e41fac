"""What `config.json` says of a joint model: its encoder, the shape of its heads, its label set, how its losses are weighted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PretrainedConfig

from train.config import HeadShape, LossWeights
from waqia.labels import LabelSet

SECTIONS = ("incident_types", "statuses", "roles", "sectors")


@strict
class IncidentConfig(PretrainedConfig):  # type: ignore[misc, unused-ignore]
    """`encoder` is the configuration of any encoder that AutoModel knows; `heads` and `loss` are those of train.config.

    `label_set` holds the label set with lists in place of mappings: transformers sorts the keys of what it writes, and the order of the
    labels is the order of the model's outputs.
    """

    model_type = "waqia-incidents"
    sub_configs: ClassVar[dict[str, type]] = {"encoder": AutoConfig}

    encoder: PretrainedConfig | dict[str, Any] | None = None
    heads: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    label_set: dict[str, Any] | None = None
    type_weights: list[float] | None = None  # how much a positive example of each incident type weighs in the loss; None for one each

    def __post_init__(self, **kwargs: Any) -> None:
        if isinstance(self.encoder, Mapping):
            self.encoder = AutoConfig.for_model(**self.encoder)
        super().__post_init__(**kwargs)

    @classmethod
    def of(cls, encoder: PretrainedConfig, shape: HeadShape, labels: LabelSet, weights: LossWeights) -> IncidentConfig:
        """The configuration of a model of this encoder, these heads and this label set."""
        attention = encoder._attn_implementation  # making the outer configuration would set it back
        config = cls(encoder=encoder, heads=shape.model_dump(), loss=weights.model_dump(), label_set=listed(labels))
        config._attn_implementation = attention
        return config

    @property
    def shape(self) -> HeadShape:
        """The heads' shape."""
        return HeadShape.model_validate(self.heads)

    @property
    def weights(self) -> LossWeights:
        """How much each head's loss counts."""
        return LossWeights.model_validate(self.loss)

    @property
    def labels(self) -> LabelSet:
        """The label set, in the order of the outputs."""
        data: dict[str, Any] = dict(self.label_set or {})
        for section in SECTIONS:
            rows = [dict(row) for row in data.get(section, ())]
            data[section] = {row.pop("label"): row for row in rows}
        return LabelSet.from_dict(data, "label_set in config.json")


def listed(labels: LabelSet) -> dict[str, Any]:
    """A label set as plain data whose order no sorting of keys can change: each section a list of rows with a field `label`."""
    data = labels.to_dict()
    sections = {section: [{"label": name, **entry} for name, entry in data[section].items()] for section in SECTIONS}
    return {**data, **sections}
