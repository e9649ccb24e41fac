"""How many small faults in the code do the tests see: python -m tests.mutants GROUP [--sample 100] [--seed 1] [--out FILE.jsonl]

Not a test and no part of CI: run it by hand, after `pip install mutmut==3.8.1`, whose operators make the mutants of functions and methods.
A seeded sample of a group's mutants is drawn. The tests of each source are collected once; for each mutant the process forks, the function
gets its faulty code in place, and the mutant is killed where a test fails or runs for too long. No file is touched. Survivors are shown.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

OPTIONS = ("-x", "-s", "-o", "addopts=", "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:xdist")
GROUPS = {  # name -> source (path, or path:functions) -> the tests that should see its faults, the fastest first
    "model": {
        "src/waqia/model/windows.py": "light/test_windows light/test_golden",
        "src/waqia/model/align.py": "light/test_align eval/test_coverage",
        "src/waqia/model/decode.py": "light/test_decode",
        "src/waqia/model/merge.py": "light/test_merge light/test_pipeline",
        "src/waqia/model/gather.py": "light/test_gather light/test_pipeline",
        "src/waqia/model/calibration.py": "light/test_calibration light/test_decode",
        "src/waqia/model/tensors.py": "light/test_pipeline light/test_windows",
        "src/waqia/model/pipeline.py": "light/test_pipeline light/test_merge light/test_golden",
        "src/waqia/model/probe.py": "light/test_runtimes",
        "src/waqia/model/artefact.py": "light/test_artefact_by_hand",
        "src/waqia/model/backends.py": "light/test_runtimes",
    },
    "document": {
        "src/waqia/document/numbers.py": "light/test_numbers light/test_count_rules light/test_date_rules",
        "src/waqia/document/timewords.py": "light/test_timewords light/test_date_rules light/test_dates",
        "src/waqia/document/dates.py": "light/test_date_rules light/test_dates",
        "src/waqia/document/peoplewords.py": "light/test_people_words light/test_count_rules light/test_counts",
        "src/waqia/document/counts.py": "light/test_counts light/test_count_rules",
        "src/waqia/document/folding.py": "light/test_place_rules light/test_places light/test_actors",
        "src/waqia/document/tables.py": "light/test_place_rules",
        "src/waqia/document/gazetteer.py": "light/test_place_rules light/test_places",
        "src/waqia/document/places.py": "light/test_place_rules light/test_places",
        "src/waqia/document/actors.py": "light/test_actor_rules light/test_actors",
        "src/waqia/document/options.py": "light/test_fact_rules light/test_facts",
        "src/waqia/document/facts.py": "light/test_fact_rules light/test_facts light/test_facts_totals",
        "src/waqia/document/sentences.py": "light/test_facts_totals light/test_facts",
        "src/waqia/document/totals.py": "light/test_facts_totals light/test_facts",
    },
    "score": {
        "eval/score/counts.py": "eval/test_denominators",
        "eval/score/match.py": "eval/test_score_by_hand eval/test_denominators eval/test_coreference",
        "eval/score/scoring.py": "eval/test_score_by_hand eval/test_denominators eval/test_coreference",
        "eval/score/coreference.py": "eval/test_coreference",
        "eval/score/intervals.py": "eval/test_intervals",
        "eval/score/files.py": "eval/test_score_by_hand",
        "eval/score/metric.py": "eval/test_metric",
        "eval/score/command.py": "eval/test_score_by_hand",
    },
    "calibrate": {"train/calibrate.py": "train/test_calibrate train/test_calibrate_parts"},
    "optimizer": {"train/training.py:optimizer": "train/test_optimizer", "train/training.py:learning_rate": "train/test_optimizer"},
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: the changed lines before and after, the function that it is in, and the whole source with it."""

    path: str
    number: int  # among all of the file
    line: int
    function: str
    before: str
    after: str
    code: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file with the mutations of its functions and methods, or of the one that a name behind a colon says."""

    path: str
    tests: str
    module: Any
    mutations: list[Any]

    @classmethod
    def read(cls, source: str, tests: str) -> Source:
        """Find them; none is made yet."""
        from mutmut.mutation.file_mutation import create_mutations

        path, _, name = source.partition(":")
        module, found, *_ = create_mutations(path, Path(path).read_text("utf-8"))
        inside = [(m, getattr(m.contained_by_top_level_function, "name", None)) for m in found]
        return cls(path, tests, module, [m for m, function in inside if function is not None and name in ("", function.value)])

    def make(self, number: int) -> Mutant:
        """One of them."""
        mutation = self.mutations[number]
        code = self.module.deep_replace(mutation.original_node, mutation.mutated_node).code
        old, new = self.module.code.splitlines(), code.splitlines()
        first = next(n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
        tails = enumerate(zip(reversed(old[first:]), reversed(new[first:]), strict=False))
        last = next((n for n, (a, b) in tails if a != b), min(len(old), len(new)) - first)
        before, after = (" ".join(line.strip() for line in lines[first : len(lines) - last]) for lines in (old, new))
        return Mutant(self.path, number, first + 1, mutation.contained_by_top_level_function.name.value, before, after, code)


def put_in(mutant: Mutant) -> None:
    """Give the functions of the mutated module, wherever they were imported to, the mutated code and defaults."""
    name = mutant.path.removeprefix("src/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    live, faulty = importlib.import_module(name), {"__name__": name, "__file__": mutant.path}
    exec(compile(mutant.code, mutant.path, "exec", dont_inherit=True), faulty)
    pairs = [(vars(live).get(key), value) for key, value in faulty.items()]
    pairs += [
        (vars(old).get(key), value)
        for old, new in pairs
        if isinstance(new, type) and isinstance(old, type)
        for key, value in vars(new).items()
    ]
    for old, new in pairs:
        old, new = getattr(old, "__func__", old), getattr(new, "__func__", new)
        if isinstance(old, FunctionType) and isinstance(new, FunctionType) and new.__name__ == mutant.function and new.__module__ == name:
            old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


@dataclass(slots=True)
class Trial:
    """A pytest plugin that runs the collected tests once as they are, then once for each mutant, in a forked process each time."""

    mutants: Iterator[Mutant]
    out: Path | None
    counts: dict[str, int]
    loaded: Path = Path()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """See pytest: in place of the loop over tests."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            self.loaded = Path(folder) / "modules"
            if self.outcome(session, None, 600) != "survived":
                raise SystemExit(f"{session.config.args}: fails without any mutant")
            for name in self.loaded.read_text().splitlines():  # what tests import only as they run is imported once, here
                with suppress(Exception):
                    importlib.import_module(name)
        seconds = 20 + 20 * (time.monotonic() - began)
        for mutant in self.mutants:
            said = self.outcome(session, mutant, seconds)
            self.counts[said] += 1
            if said == "survived":
                print(f"{mutant.path}:{mutant.line} {mutant.function}\n  - {mutant.before}\n  + {mutant.after}", flush=True)
            if self.out:
                row = {name: value for name, value in asdict(mutant).items() if name != "code"} | {"outcome": said}
                with self.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return True

    def outcome(self, session: pytest.Session, mutant: Mutant | None, seconds: float) -> str:
        """`survived`, `killed` or `timeout`: what the tests make of a mutant, or of the code as it is."""
        child, until = os.fork(), time.monotonic() + seconds
        if not child:
            self.try_tests(session, mutant)
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return "killed" if status else "survived"
            time.sleep(0.005)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout"

    def try_tests(self, session: pytest.Session, mutant: Mutant | None) -> None:
        """In the forked process: run all tests up to the first that fails, and exit with 1 there, else with 0."""
        os.setsid()
        failed = True
        try:
            if mutant:
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, 1)
                os.dup2(null, 2)
                put_in(mutant)
            for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    break
            failed = bool(session.testsfailed)
            if not mutant:
                self.loaded.write_text("\n".join(sys.modules))
        finally:
            os._exit(failed)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / count
    middle, half = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, run, tell survivors as they come, and the share killed at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--sample", type=int, default=100, help="mutants drawn (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    parser.add_argument("--only", default="", help="sources whose path holds this")
    parser.add_argument("--again", type=Path, help="no draw: the survivors in this file, once more")
    parser.add_argument("--out", type=Path, help="outcomes as JSONL")
    args = parser.parse_args(argv)
    sources = {source: tests for source, tests in GROUPS[args.group].items() if args.only in source}
    read = [Source.read(source, tests) for source, tests in sources.items()]
    found = [(source, number) for source in read for number in range(len(source.mutations))]
    if args.again:
        rows = [json.loads(line) for line in args.again.read_text("utf-8").splitlines()]
        wanted = {(row["path"], row["number"]) for row in rows if row["outcome"] == "survived"}
        drawn = [(source, number) for source, number in found if (source.path, number) in wanted]
    else:
        drawn = random.Random(args.seed).sample(found, min(args.sample, len(found)))
    print(f"{args.group}: {len(drawn)} of {len(found)} mutants", flush=True)
    counts = dict.fromkeys(("killed", "timeout", "survived"), 0)
    for names in dict.fromkeys(source.tests for source, _ in drawn):
        trial = Trial((source.make(number) for source, number in drawn if source.tests == names), args.out, counts)
        pytest.main([*OPTIONS, *(f"tests/{name}.py" for name in names.split())], plugins=[trial])
    total = sum(counts.values())
    low, high = wilson(total - counts["survived"], total)
    print(f"{args.group}: {counts}, {1 - counts['survived'] / total:.1%} killed [{low:.1%}, {high:.1%}]")


if __name__ == "__main__":
    main()
