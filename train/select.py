"""Which texts to label next, as pre-annotated tasks for an annotation tool:

python -m train.select POOL OUT --n 100 [--model ARTEFACT] [--labelled FILE…] [--to label-studio] [--config configs/select.yaml]

POOL is whatever `waqia batch` reads. Texts are chosen one by one: the next is the one whose uncertainty, disagreement of the heads, rare
types and distance from all texts chosen or labelled before add up to most, with the shares of the configuration. The same pool, model and
labels give the same choice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.score.command import run as run_script
from train.config import Part, Share, load_config
from waqia.arguments import Parser
from waqia.bulk import files
from waqia.errors import ConfigError, RecordError
from waqia.formats import convert
from waqia.formats.graph import counted
from waqia.labels import LabelSet
from waqia.reader import Reader
from waqia.schema import Reading, Record


class SelectConfig(Part):
    """Shares of the four reasons to label a text."""

    uncertainty: Share
    disagreement: Share
    rare: Share
    diversity: Share


@dataclass(frozen=True, slots=True)
class Choice:
    """A text of the pool by its place in it, and why it was chosen; each reason lies between 0 and 1."""

    place: int
    uncertainty: float
    disagreement: float
    rare: float
    distance: float

    def to_dict(self, rank: int) -> dict[str, float]:
        """Plain data that travels with the task."""
        reasons = {name: getattr(self, name) for name in ("uncertainty", "disagreement", "rare", "distance")}
        return {"rank": rank, **{name: round(value, 4) for name, value in reasons.items()}}


def main(argv: Sequence[str] | None = None) -> int:
    """Choose, and write the tasks; the exit code is 0."""
    parser = Parser(description=__doc__)
    parser.add_argument("pool", metavar="POOL")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--n", type=int, default=100, help="how many texts (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="artefact folder (default: the model in the package)")
    parser.add_argument("--labelled", type=Path, nargs="+", default=[], metavar="FILE", help="records that are labelled already")
    parser.add_argument("--to", choices=convert.FORMATS, default="label-studio", help="(default: %(default)s)")
    parser.add_argument("--config", type=Path, default=Path("configs/select.yaml"), help="(default: %(default)s)")
    for name in ("id", "text", "date"):
        parser.add_argument(f"--{name}-field", metavar="NAME", help=f"the field with the {name} (default: {name})")
    args = parser.parse_args(argv)
    if args.n < 1:
        raise ConfigError(f"--n is {args.n}, expected at least 1")
    config = load_config(SelectConfig, args.config)
    reader = Reader.load(args.model)
    labelled = [record for path in args.labelled for record in convert.read_file(path, convert.find_format(path), reader.labels)[0]]
    pool = read_pool(args)
    readings = list(reader.read_many(row.fields["text"] for row in pool))
    choices = choose(
        [str(row.fields["id"]) for row in pool], [row.fields["text"] for row in pool], readings, labelled, reader.labels, config, n=args.n
    )
    tasks = [_task(pool[choice.place], readings[choice.place], choice.to_dict(rank)) for rank, choice in enumerate(choices, 1)]
    remarks = convert.write_file(args.out, args.to, tasks, reader.labels, prelabel=True)
    print("\n".join([*counted(remarks), f"{len(tasks)} of {len(pool)} texts"]), file=sys.stderr)
    return 0


def read_pool(args: argparse.Namespace) -> list[files.Row]:
    """The rows of the pool; RecordError lists those that cannot be read."""
    pool = list(files.rows(args.pool, id_field=args.id_field, text_field=args.text_field, date_field=args.date_field))
    faults = [row.fault for row in pool if row.fault is not None]
    if faults:
        raise RecordError("\n".join(faults))
    return pool


def choose(
    ids: Sequence[str],
    texts: Sequence[str],
    readings: Sequence[Reading],
    labelled: Sequence[Record],
    labels: LabelSet,
    config: SelectConfig,
    *,
    n: int,
) -> list[Choice]:
    """At most `n` texts in the order in which to label them; ties go to the smaller id.

    No text is chosen that is chosen or labelled already (by its id, or by its words), that has no words, or that could not be read.
    """
    doubt = np.array([uncertainty(reading) for reading in readings], float)
    doubt /= max(1e-9, doubt.max(initial=0.0))
    apart = np.array([disagreement(reading) for reading in readings])
    rare = rare_types(readings, labelled, labels)
    own = config.uncertainty * doubt + config.disagreement * apart + config.rare * rare
    words = np.array([_words(text) for text in texts], dtype=object)
    known_ids, known_texts = {str(record.id) for record in labelled}, {_words(record.text) for record in labelled}
    free = np.array(
        [
            reading.error is None and name not in known_ids and bool(said) and said not in known_texts
            for name, said, reading in zip(ids, words, readings, strict=True)
        ]
    )
    if not free.any():
        return []
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second to import

    vectors = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit_transform([*texts, *(record.text for record in labelled)])
    mine, others = vectors[: len(texts)], vectors[len(texts) :]
    near = np.asarray((mine @ others.T).max(axis=1).todense()).ravel() if labelled else np.zeros(len(texts))
    order = np.argsort(np.array(ids, dtype=object), kind="stable")
    choices: list[Choice] = []
    while len(choices) < n and free.any():
        distance = np.clip(1 - near, 0, 1)
        worth = np.where(free, own + config.diversity * distance, -1.0)
        best = int(order[np.argmax(np.round(worth[order], 9))])
        choices.append(Choice(best, *(float(reason[best]) for reason in (doubt, apart, rare, distance))))
        free &= words != words[best]
        near = np.maximum(near, np.asarray((mine @ mine[best].T).todense()).ravel())
    return choices


def uncertainty(reading: Reading) -> float:
    """The entropy in bits of a reading's calibrated probabilities of types, all types together: what its labels would tell."""
    return sum(map(_entropy, reading.types.values()), 0.0)


def disagreement(reading: Reading) -> float:
    """How far the head that sees the whole text and the incidents found are apart, for the type where they are furthest.

    That is the probability that the text reports the type against the best score of its incidents, 0 where none was found.
    """
    found = {name: max((i.score or 0.0 for i in reading.incidents if i.type == name), default=0.0) for name in reading.types}
    return max((abs(p - found[name]) for name, p in reading.types.items()), default=0.0)


def rare_types(readings: Sequence[Reading], labelled: Sequence[Record], labels: LabelSet) -> np.ndarray:
    """For each reading the probability of its types weighted by how rare they are, at most 1; a type weighs 1 / (1 + its incidents).

    Incidents are counted in the labelled records, or expected (the sum of the probabilities) in the pool where there are none; weights
    are scaled so that the rarest type weighs 1.
    """
    counts: Mapping[str, float]
    if labelled:
        told = [incident.type for record in labelled for incident in record.incidents]
        counts = {name: told.count(name) for name in labels.incident_types}
    else:
        counts = {name: sum(reading.types.get(name, 0.0) for reading in readings) for name in labels.incident_types}
    weights = {name: 1 / (1 + count) for name, count in counts.items()}
    most = max(weights.values())
    return np.array([min(1.0, sum(weights[name] / most * p for name, p in reading.types.items())) for reading in readings])


def _entropy(p: float) -> float:
    return 0.0 if p <= 0 or p >= 1 else float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


def _words(text: str) -> str:
    return " ".join(text.split())


def _task(row: files.Row, reading: Reading, why: dict[str, float]) -> Record:
    ours = {"id", "text", "annotated", "selected", *Reading().to_dict()}
    extra: dict[str, Any] = {key: value for key, value in row.fields.items() if key not in ours}
    return Record(row.fields["id"], row.fields["text"], reading.incidents, None, {**extra, "selected": why})


if __name__ == "__main__":
    run_script(main)
