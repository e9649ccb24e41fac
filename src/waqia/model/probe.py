"""The built-in sentence: what an artefact makes of it is kept in its manifest, and asked again each time the artefact is opened.

Hashes prove that files are what was written; this proves that they belong together: labels in the order of the model's outputs, the
tokenizer of these weights, numbers that are finite, a backend that computes what the exporting one did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from tokenizers import Tokenizer

from waqia.errors import ArtefactError
from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.decode import sigmoid, softmax
from waqia.model.merge import PAIR_FEATURES
from waqia.model.tensors import Backend, Floats, Pairs, Triggers, batch
from waqia.model.windows import WindowSettings, split

SENTENCE = "قُتل ثلاثة مدنيين وأُصيب آخرون في غارة جوية شنتها طائرات حربية على سوق في مدينة إدلب، وخرجت مظاهرة في حلب تندد بالقصف."
TRIGGER = 6  # the word asked about: «غارة»; it is paired with the last word, «بالقصف»
TOLERANCE = 0.1  # of a probability; ONNX Runtime and OpenVINO differ by 0.026 at most on the shipped artefact in int8

Answers = dict[str, dict[str, float]]


def ask(backend: Backend, tokenizer: Tokenizer, labels: LabelSet, windows: WindowSettings, calibration: Calibration) -> Answers:
    """Probabilities by label name: types of SENTENCE; types, statuses, roles, sectors (largest of a word) of TRIGGER, and its merging.

    ArtefactError where outputs and labels differ in number.
    """
    window = split(SENTENCE, tokenizer, windows)[0]
    word = min(TRIGGER, len(window.words) - 1)
    encoded = backend.encode(batch([window], 0))
    place = np.zeros(1, np.int64)
    triggers = Triggers(place + word, place + word + 1, place)
    said = backend.participants(encoded.word_states, np.ones((1, len(window.words)), np.int64), triggers)
    roles = said.role_logits[0].reshape(-1, said.role_logits.shape[-1]).max(0)
    first, last = encoded.word_states[:1, word], encoded.word_states[:1, -1]
    one, other = (softmax(encoded.trigger_logits[:1, at, 1:]) for at in (word, -1))
    same = backend.merge(Pairs(first, last, one, other, np.ones((1, PAIR_FEATURES), np.float32)))
    return {
        "merging": _named("merging", ["same"], sigmoid(same / calibration.merge_temperature)),
        "types": _named("types", labels.incident_types, sigmoid(encoded.type_logits[0] / calibration.type_temperature)),
        "trigger": _named("trigger", labels.incident_types, softmax(encoded.trigger_logits[0, word] / calibration.trigger_temperature)[1:]),
        "statuses": _named("statuses", labels.statuses, softmax(said.status_logits[0])),
        "roles": _named("roles", labels.roles, sigmoid(roles / calibration.role_temperature)),
        "sectors": _named("sectors", labels.sectors, softmax(said.sector_logits[0]).max(0)),
    }


def compare(expected: Mapping[str, Mapping[str, float]], found: Answers) -> None:
    """ArtefactError where an answer is no number or lies further than TOLERANCE from the one expected, or other labels are named."""
    for head, answers in found.items():
        wanted = expected.get(head, {})
        if wanted.keys() != answers.keys():
            raise ArtefactError(f"{head} of the built-in sentence name other labels: {sorted(wanted.keys() ^ answers.keys())}")
        for name, answer in answers.items():
            if not (math.isfinite(answer) and abs(answer - wanted[name]) <= TOLERANCE):
                found_and_wanted = f"{head} {name} {answer}, expected {wanted[name]}"
                raise ArtefactError(f"the built-in sentence is read otherwise than by the artefact that was written: {found_and_wanted}")


def _named(head: str, names: Iterable[str], probabilities: Floats) -> dict[str, float]:
    names = list(names)
    if len(names) != len(probabilities):
        raise ArtefactError(f"the graphs give {len(probabilities)} numbers for {head}, labels.json has {len(names)} labels")
    return {name: round(float(probability), 4) for name, probability in zip(names, probabilities, strict=True)}
