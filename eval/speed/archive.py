"""What an archive costs: whole articles of all kinds, read with the screen and without, beside the default pipeline of transformers.

Articles are drawn from the files of a corpus in the shares that they have there, so that most of them report no incident, as in an archive.
All engines take turns in one process on the same articles, one thread each, and are compared by processor time, round by round.
`pipeline` reads the slices of an article that `waqia` cuts, since it refuses what is longer than 512 tokens; it and the bare token heads in
int8 label tokens alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import lzma
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eval.speed.benchmark import BASELINE, build, spread
from eval.speed.worker import Engine, UnsupportedError, open_engine
from waqia.bulk import screen
from waqia.reader import Reader
from waqia.schema import Reading

NOT_NEWS = ("wikipedia", "airwars_train")
PLAIN = "waqia"
OTHERS = (BASELINE, "onnxruntime int8", "openvino int8")
log = logging.getLogger("eval.speed")


@dataclass(frozen=True, slots=True)
class Round:
    """One engine over all articles: processor seconds, and what was read (None: it gives no readings)."""

    cpu_s: float
    readings: tuple[Reading, ...] | None


def articles(corpus: Path, data: Sequence[Path], count: int) -> tuple[list[str], str]:
    """`count` articles and where they are from: the corpus where it is there, each article equally likely, else the passages of data/."""
    files = sorted(path for path in corpus.glob("*.jsonl.xz") if path.name.partition(".")[0] not in NOT_NEWS)
    ranked: list[tuple[bytes, str]] = []
    for path in files:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            rows = (json.loads(line) for line in lines)
            ranked += [(hashlib.blake2b(f"archive {row['id']}".encode(), digest_size=8).digest(), row["text"]) for row in rows]
    if not files:
        texts = [json.loads(line)["text"] for path in data for line in path.read_text("utf-8").splitlines()]
        ranked = [(hashlib.blake2b(text.encode(), digest_size=8).digest(), text) for text in texts]
    where = f"{len(files)} files of {corpus}" if files else "data/*.jsonl (conflict passages: no corpus is here)"
    return [text for _, text in sorted(ranked)[:count]], where


def measure(texts: Sequence[str], shares: Sequence[float], folder: Path | None, repeats: int) -> dict[str, list[Round]]:
    """All rounds of all engines; without a folder of models (see `eval.speed.benchmark.build`) there are none but `waqia`."""
    reader = Reader.load(threads=1)
    engines: dict[str, Callable[[], tuple[Reading, ...] | None]] = {PLAIN: lambda: tuple(reader.read_many(texts))}
    for share in shares:
        engines[f"{PLAIN}, screen {share:g}"] = _screened(texts, share)
    if folder is not None:
        engines |= _others(texts, folder)
    rounds: dict[str, list[Round]] = {name: [] for name in engines}
    for read in engines.values():
        read()  # what is slow only at first is not measured
    for _ in range(repeats):
        for name, read in engines.items():
            since = time.process_time()
            said = read()
            rounds[name].append(Round(time.process_time() - since, said))
    return rounds


def _screened(texts: Sequence[str], share: float) -> Callable[[], tuple[Reading, ...]]:
    reader = Reader.load(threads=1, screen=screen.load(lost=share))
    return lambda: tuple(reader.read_many(texts))


def _others(texts: Sequence[str], folder: Path) -> dict[str, Callable[[], None]]:
    """What else can read here, by name."""
    found: dict[str, Callable[[], None]] = {}
    for name in OTHERS:
        try:
            engine = open_engine(name, folder, 1)
        except UnsupportedError as reason:
            log.info("%s: %s", name, reason)
            continue
        found[name] = partial(_read, engine, _slices(texts) if name == BASELINE else texts)
    return found


def _read(engine: Engine, texts: Sequence[str]) -> None:
    engine.many(texts)


def _slices(texts: Sequence[str]) -> list[str]:
    """The texts in slices of the windows' size, none twice."""
    from waqia.model import artefact
    from waqia.model.windows import split

    full = artefact.load()
    cut = [(text, window) for text in texts for window in split(text, full.tokenizer, full.windows)]
    return [text[int(window.words[window.owned[0], 0]) : int(window.words[window.owned[1] - 1, 1])] for text, window in cut]


def figures(rounds: Mapping[str, Sequence[Round]], count: int, price: float | None) -> dict[str, dict[str, Any]]:
    """Rates, ratios paired by round, and what the screen left out and lost; `price` in USD an hour of a core."""
    plain = rounds[PLAIN]
    found: dict[str, dict[str, Any]] = {}
    for name, mine in rounds.items():
        rate = spread(count / one.cpu_s for one in mine)
        hours = 1e6 / rate["median"] / 3600
        row: dict[str, Any] = {"articles_per_cpu_s": rate, "core_hours_per_million": hours}
        row["times_plain"] = spread(a.cpu_s / b.cpu_s for a, b in zip(plain, mine, strict=True))
        if price is not None:
            row["usd_per_million"] = hours * price
        if BASELINE in rounds:
            row["times_pipeline"] = spread(a.cpu_s / b.cpu_s for a, b in zip(rounds[BASELINE], mine, strict=True))
        if mine[0].readings is not None and plain[0].readings is not None:
            row |= _compared(plain[0].readings, mine[0].readings)
        found[name] = row
    return found


def _compared(full: Sequence[Reading], mine: Sequence[Reading]) -> dict[str, int]:
    """Windows, those left out, incidents of the full reading, and those of which no mention is in a screened one's incidents."""
    lost = 0
    for one, other in zip(full, mine, strict=True):
        kept = {(span.start, span.end) for incident in other.incidents for span in incident.all_mentions}
        lost += sum(not any((span.start, span.end) in kept for span in incident.all_mentions) for incident in one.incidents)
    incidents = sum(len(one.incidents) for one in full)
    windows, screened = sum(one.windows for one in mine), sum(one.screened for one in mine)
    return {"windows": windows, "screened": screened, "incidents": incidents, "lost": lost}


def run(
    corpus: Path, data: Sequence[Path], count: int, shares: Sequence[float], repeats: int, others: bool, price: float | None
) -> dict[str, Any]:
    """Draw, build, measure: everything that `table` shows."""
    texts, where = articles(corpus, data, count)
    with tempfile.TemporaryDirectory(prefix="waqia-archive-") as name:
        folder = Path(name) if others else None
        if folder is not None:
            build("mini", 6, data, OTHERS, folder)
        found = figures(measure(texts, shares, folder, repeats), len(texts), price)
    return {"articles": len(texts), "from": where, "characters": sum(map(len, texts)), "repeats": repeats, "engines": found}


def table(report: Mapping[str, Any]) -> list[str]:
    """The report as lines of text."""
    head = f"{report['articles']} articles, {report['characters']} characters, from {report['from']}; {report['repeats']} rounds in turn"
    lines = [head, f"{'':22}{'articles/s':>11}{'x waqia':>9}{'x pipeline':>11}{'core h/10^6':>12}{'screened':>10}{'lost':>12}"]
    for name, one in report["engines"].items():
        times = f"{one['times_pipeline']['median']:.2f}" if "times_pipeline" in one else "–"
        screened = f"{one['screened'] / one['windows']:.0%}" if one.get("windows") else "–"
        lost = f"{one['lost']} of {one['incidents']}" if "lost" in one else "–"
        lines.append(
            f"{name:22}{one['articles_per_cpu_s']['median']:11.1f}{one['times_plain']['median']:9.2f}{times:>11}"
            f"{one['core_hours_per_million']:12.2f}{screened:>10}{lost:>12}"
        )
        if "usd_per_million" in one:
            lines[-1] += f"  {one['usd_per_million']:.2f} USD"
    return lines
