"""Real processes killed at random moments and started again, and what they then leave beside what an undisturbed one leaves.

Tests do a few kills of each kind; `python -m tests.faults.by_hand` as many as asked for. Training and artefact writing run in processes
forked from one that has imported torch but computed nothing with it, which spares its import each time; `waqia batch` is started anew.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
OLD, NEW = "old", "new"


@dataclass
class Tally:
    """What was really done: processes killed while they worked, results compared, and which of these differ."""

    kills: int = 0
    results: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, right: bool, what: str) -> None:
        """Count a comparison."""
        self.results += 1
        if not right:
            self.wrong.append(what)


def forked(work: Callable[[], object], log: Path) -> int:
    """The process number of a fork that does the work and says what goes wrong in `log`."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        with log.open("ab") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        work()
        code = 0
    except SystemExit as done:
        code = int(done.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def command(*arguments: str) -> Callable[[], None]:
    """Work for `forked`: become a fresh Python with these arguments."""
    return lambda: os.execv(sys.executable, [sys.executable, *arguments])


def kill_after(process: int, seconds: float) -> int | None:
    """Kill a child after so many seconds: None if it was still at work, else the code with which it had ended before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return None if code == -signal.SIGKILL else code


def finish(work: Callable[[], object], log: Path, good: int = 0) -> float:
    """Let work end undisturbed: its seconds."""
    began = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(forked(work, log), 0)[1])
    if code != good:
        raise AssertionError(f"ended with {code}, expected {good}: {log.read_text('utf-8', 'replace')[-3000:]}")
    return time.monotonic() - began


def chain(
    work: Callable[[], object], log: Path, tally: Tally, chance: random.Random, *, seconds: float, most: int, good: int = 0,
    standing: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Kill and start again up to `most` times, each after 0 to `seconds` (what an undisturbed start takes), then let it end.

    `standing` looks at what stands there after each kill.
    """
    for _ in range(most):
        code = kill_after(forked(work, log), chance.uniform(0, seconds))
        if code is None:
            tally.kills += 1
            standing()
        elif code == good:
            return
        else:
            raise AssertionError(f"ended with {code}, expected {good}: {log.read_text('utf-8', 'replace')[-3000:]}")
    finish(work, log, good)


# --- waqia batch


def rows(path: Path, shown: str, count: int = 120) -> Path:
    """An input: short texts, one row without one, and one in ten rows with a text of its own for `shown`."""
    lines = [{"id": n, "text": f"قصف مدفعي على البلدة رقم {n} مساء أمس. " * (1 + n % 3)} for n in range(count)]
    for n in range(0, count, 10):
        lines[n]["text"] = f"احتجاجات في البصرة، الخبر {shown} رقم {n}"
    lines[count // 4] = {"id": "bad"}
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return path


def kill_batches(folder: Path, kills: int, seed: int) -> Tally:
    """`waqia batch` killed again and again; every third chain begins with the output of an input that has since changed in some rows."""
    tally, chance, log = Tally(), random.Random(seed), folder / "log"
    source, target, before, whole = (folder / name for name in ("in.jsonl", "out.jsonl", "before.jsonl", "whole.jsonl"))
    work = command("-m", "waqia", "batch", str(source), str(target), "--threads", "1")
    rows(source, OLD)
    finish(work, log, 3)
    shutil.copy(target, before)
    rows(source, NEW)
    finish(command("-m", "waqia", "batch", str(source), str(whole), "--threads", "1"), log, 3)
    undisturbed, job = whole.read_bytes(), (folder / "out.jsonl.job.json").read_bytes()
    for name in ("out.jsonl", "out.jsonl.job.json"):
        (folder / name).unlink()
    seconds = finish(work, log, 3)
    tally.check(target.read_bytes() == undisturbed, "undisturbed")
    while tally.kills < kills:
        for path in folder.glob("out.jsonl*"):
            path.unlink()
        mending = chance.random() < 1 / 3
        if mending:
            shutil.copy(before, target)
            (folder / "out.jsonl.job.json").write_bytes(job)
        begun = [before.read_bytes(), undisturbed] if mending else [undisturbed]

        def standing(begun: list[bytes] = begun) -> None:
            held = target.read_bytes() if target.exists() else b""
            tally.check(any(one.startswith(held) for one in begun), f"what stood after kill {tally.kills}")

        chain(work, log, tally, chance, seconds=seconds, most=min(4, kills - tally.kills), good=3, standing=standing)
        left = {path.name for path in folder.glob("out.jsonl*")} - {"out.jsonl", "out.jsonl.job.json"}
        tally.check(target.read_bytes() == undisturbed and not left, f"output after {tally.kills} kills, left {sorted(left)}")
    return tally


# --- artefacts


def kill_artefact_writes(folder: Path, kills: int, seed: int) -> Tally:
    """`artefact.write` over another artefact: after each kill the old or the new loads, and the next write sweeps what was left."""
    from waqia.model import artefact
    from waqia.model.backends import GRAPHS

    shipped = artefact.load()
    paths = dict(zip(("encode", "participants", "merge"), (shipped.folder / name for name in GRAPHS), strict=True))

    def write(model: str, place: Path) -> None:
        artefact.write(
            place, model=model, **paths, tokenizer=shipped.tokenizer.to_str(), labels=shipped.labels, windows=shipped.windows,
            calibration=shipped.calibration,
        )  # fmt: skip

    tally, chance, log, place = Tally(), random.Random(seed), folder / "log", folder / "artefact"
    seconds = finish(lambda: write(OLD, place), log)
    stands = OLD
    while tally.kills < kills:
        following = NEW if stands == OLD else OLD
        code = kill_after(forked(lambda name=following: write(name, place), log), chance.uniform(0, 1.1 * seconds))
        tally.kills += code is None
        found = artefact.load(place).model
        tally.check(found == following if code == 0 else found in (OLD, NEW), f"{found} stood after kill {tally.kills}")
        stands = found
    finish(lambda: write(NEW, place), log)
    tally.check({path.name for path in folder.iterdir()} == {"log", "artefact"}, "rubbish of killed writes stays")
    return tally


# --- training


def smoke(folder: Path, kind: str, change: Callable[[dict], None]) -> Path:
    """A smoke configuration whose output is folder/run and whose files are those of the repository."""
    data = yaml.safe_load((ROOT / f"configs/smoke/{kind}.yaml").read_text("utf-8"))
    data["output"] = str(folder / "run")
    change(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), "utf-8")
    return folder / "config.yaml"


def kill_finetunings(folder: Path, kills: int, seed: int) -> Tally:
    """Fine-tunings of 24 passages from one encoder; every third chain trains anew (--again) where a finished run stands until then."""
    from train import finetune, training  # noqa: F401  (torch, before the forks)

    few = sorted((ROOT / "data/dev.jsonl").read_text("utf-8").splitlines(), key=lambda line: len(json.loads(line)["text"]))[:24]
    (folder / "train.jsonl").write_text("\n".join(few), "utf-8")

    def base(data: dict) -> None:
        data["label_set"] = str(ROOT / data["label_set"])
        data["train_files"], data["dev_files"] = [{"path": str(folder / "train.jsonl"), "repeat": 1}], [str(folder / "train.jsonl")]
        data["calibration"]["tried"] |= {"mentions": [0.5], "merging": [0.5], "same_type": [1.0]}  # its grid takes longer than the steps

    def short(data: dict) -> None:
        base(data)
        data["encoder"] = str(folder / "base/run")  # a vocabulary learnt anew would be another one
        data["training"] |= {"epochs": 3, "batch_windows": 4, "hidden_words": 0.3, "paraphrases": 0.5, "save_steps": 3}

    tally, chance, log = Tally(), random.Random(seed), folder / "log"
    first, whole = smoke(folder / "base", "finetune", base), smoke(folder / "whole", "finetune", short)
    finish(lambda: finetune.main([str(first)]), log)
    seconds = finish(lambda: finetune.main([str(whole)]), log)
    kept = ("model.safetensors", "calibration.json", "dev-predictions.jsonl", "dev-scores.json")
    undisturbed = [(folder / "whole/run" / name).read_bytes() for name in kept]
    place = folder / "cut"
    while tally.kills < kills:
        shutil.rmtree(place, ignore_errors=True)
        again = chance.random() < 1 / 3
        config = smoke(place, "finetune", short)
        if again:
            shutil.copytree(folder / "whole/run", place / "run")
            (place / "run/config.yaml").write_bytes(config.read_bytes())

        def standing(again: bool = again) -> None:
            if again or (place / "run").exists():
                found = [(place / "run" / name).read_bytes() if (place / "run" / name).exists() else b"" for name in kept]
                tally.check(found == undisturbed, f"run after kill {tally.kills}")

        arguments, most = [str(config), *(["--again"] if again else [])], min(3, kills - tally.kills)
        chain(lambda given=arguments: finetune.main(given), log, tally, chance, seconds=seconds, most=most, standing=standing)
        tally.check((place / "run").exists(), f"no run after {tally.kills} kills")
        standing()
    return tally


def kill_pretrainings(folder: Path, kills: int, seed: int) -> Tally:
    """Pretrainings of 39 steps: the same losses and the same encoder; an encoder that stood at a checkpoint stands after every kill."""
    from tests.train.test_pretrain import lend
    from train.pretrain.__main__ import main
    from train.pretrain.pretraining import pretrain  # noqa: F401  (torch, before the forks)

    def own(data: dict) -> None:
        data["corpus"]["sources"][0]["path"] = str(ROOT / "data/train.jsonl")
        data["checkpoint_seconds"] = 0.05

    tally, chance, log, place = Tally(), random.Random(seed), folder / "log", folder / "cut"
    whole = smoke(folder / "whole", "pretrain", own)
    finish(lambda: main([str(whole)]), log)
    encoder, seconds = place / "run/encoder", 0.0
    undisturbed = (losses(folder / "whole"), (folder / "whole/run/encoder/model.safetensors").read_bytes())
    while tally.kills < kills:
        shutil.rmtree(place, ignore_errors=True)
        config = smoke(place, "pretrain", own)
        (place / "run").mkdir()
        lend(folder / "whole", place)
        seconds = seconds or finish(lambda given=config: main([str(given)]), log)
        stood: list[bool] = []

        def standing(stood: list[bool] = stood) -> None:
            if stood or encoder.exists():
                stood.append(True)
                names = {path.name for path in (folder / "whole/run/encoder").iterdir()}
                here = {path.name for path in encoder.iterdir()} if encoder.exists() else set()
                tally.check(names == here, f"encoder after kill {tally.kills}")

        most = min(4, kills - tally.kills)
        chain(lambda given=config: main([str(given)]), log, tally, chance, seconds=seconds, most=most, standing=standing)
        found = (losses(place), (encoder / "model.safetensors").read_bytes())
        tally.check(found == undisturbed, f"losses or encoder after {tally.kills} kills")
    return tally


def losses(folder: Path) -> dict[int, set[tuple[float, float]]]:
    """The losses that the log tells of each step: a set of one, where every start computed the same."""
    told: dict[int, set[tuple[float, float]]] = {}
    for line in (folder / "run/log.jsonl").read_text("utf-8").splitlines():
        with suppress(ValueError):  # a line that a kill cut off
            row = json.loads(line)
            told.setdefault(row["step"], set()).add((row["loss"], row["held_out_loss"]))
    return told


# --- workers of Ray


def kill_ray_workers(folder: Path, kills: int, seed: int) -> Tally:
    """Workers of a Ray job killed while it reads, one after another: the same rows as of an undisturbed job, each once."""
    import psutil
    import pyarrow.parquet
    import ray
    import ray.data

    script = (
        "import sys; import waqia.bulk.ray as r; from waqia import Reader; r.ROWS = 4; "
        "print(r.run(sys.argv[1], sys.argv[2], Reader.load(threads=1), workers=2))"
    )
    tally, chance = Tally(), random.Random(seed)
    (folder / "in").mkdir()
    for part in range(4):
        lines = [{"id": f"{part}-{n}", "text": f"قصف مدفعي على البلدة رقم {n} مساء أمس."} for n in range(40)]
        written = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / "in" / f"{part}.jsonl").write_text(written + "{broken\n", "utf-8")
    quiet = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
    ray.init(address="local", num_cpus=3, object_store_memory=200_000_000, **quiet)
    environment = {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address}

    def job(target: Path, most: int) -> list[dict]:
        command = [sys.executable, "-c", script, str(folder / "in"), str(target)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            killed = 0
            while process.poll() is None:
                time.sleep(chance.uniform(0.05, 0.6))
                mine = [one for one in psutil.Process().children(recursive=True) if _reads(one)]
                if killed < most and mine and process.poll() is None:
                    with suppress(psutil.NoSuchProcess):
                        chance.choice(mine).kill()
                        killed += 1
        tally.kills += killed
        said = (folder / "log").read_text("utf-8", "replace")[-2000:]
        tally.check(process.returncode == 0, f"exit {process.returncode} after {tally.kills} kills: {said}")
        found = (row for path in target.glob("*.parquet") for row in pyarrow.parquet.read_table(path).to_pylist())
        return sorted(found, key=lambda row: str(row["id"]))

    undisturbed = job(folder / "whole", 0)
    while tally.kills < kills:
        target = folder / f"cut-{tally.results}"
        tally.check(job(target, min(3, kills - tally.kills)) == undisturbed, f"rows after {tally.kills} kills")
        if tally.results > 10 * kills:
            raise AssertionError(f"{tally.kills} workers were seen to be killed in {tally.results} jobs of Ray")
    ray.shutdown()
    return tally


def _reads(process: object) -> bool:
    """Whether it is an actor of Ray that holds a reader; Ray names it after all steps that it has fused with the reading."""
    with suppress(Exception):
        return re.match(r"ray::MapWorker\(.*MapBatches\(Worker\)", " ".join(process.cmdline())) is not None  # type: ignore[attr-defined]
    return False
