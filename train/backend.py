"""The torch side of `waqia.decode.Backend`: reading with a model that is still in training."""

from __future__ import annotations

import numpy as np
import torch

from train.model import IncidentModel
from waqia.model.tensors import Batch, Encoded, Floats, Pairs, Participants, Triggers
from waqia.model.windows import Ints


class TorchBackend:
    """Runs an IncidentModel for `waqia.decode`; the model is put in evaluation mode."""

    def __init__(self, model: IncidentModel) -> None:
        self.model = model.eval()
        self.device = next(model.parameters()).device

    @torch.inference_mode()
    def encode(self, batch: Batch) -> Encoded:
        """One pass of the encoder and its heads."""
        arrays = (batch.input_ids, batch.attention_mask, batch.word_starts, batch.word_ends)
        return Encoded(*map(_numpy, self.model.encode(*(torch.from_numpy(a).to(self.device) for a in arrays))))

    @torch.inference_mode()
    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Roles, status and sectors of N triggers."""
        arrays = (word_states, word_mask, *triggers)
        said = self.model.participants_head(*(torch.from_numpy(np.ascontiguousarray(a)).to(self.device) for a in arrays))
        return Participants(*map(_numpy, said))

    @torch.inference_mode()
    def merge(self, pairs: Pairs) -> Floats:
        """Logits that two mentions tell the same happening."""
        return _numpy(self.model.merge_head(*(torch.from_numpy(array).to(self.device) for array in pairs)))


def _numpy(tensor: torch.Tensor) -> Floats:
    return tensor.float().cpu().numpy()
