"""How fast, how large, and how far from the hardware's limit: python -m eval.speed [--quick] [--out OUT] [--shapes mini base]

Every engine that users would pick, beside `waqia`, on the same passages of data/*.jsonl in one run. Each measurement is a new process of
one engine (so cold start and peak memory are its own), all engines in turn, the whole round repeated; shown are medians. Rates are of
processor time, so other processes on the machine weigh little; latencies and cold starts are of the clock, so keep it quiet for those.

- `pipeline` is transformers' default way (token classification); `torch`, `onnxruntime` and `openvino` are bare engines with the same
  token head, fed with `waqia`'s windows and token-budget batches; `waqia` does more: all heads, and incidents with their participants.
- x pipeline: processor time of `pipeline batch 1` over that of the engine, paired by round.
- limit: operations of the encoder's products a second, as a part of the best single product (tokens x width x intermediate) that this
  machine computed in the same round in that precision. Heads and tokenising count as nothing, so `waqia` does better than shown;
  the line below the table has its encode graph alone, without the participants and all that is no graph.
- changed: of the passages read one by one, how many read differently in a batch.
- `mini` is the shipped model, which is in int8, and in fp32 what its weights stand for; `base` is AraBERT-base's shape with random
  weights, its trigger threshold set so that it finds as many triggers as the shipped model does; all int8 is static, by train.quantise.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from packaging.requirements import Requirement

from waqia.arguments import Parser
from waqia.errors import ConfigError, WaqiaError

log = logging.getLogger("eval.speed")

ROOT = Path(__file__).parents[2]
SHAPES = ("tiny", "mini", "base")  # see train.experiments.speed_models
BASELINE, REFERENCE = "pipeline batch 1", "waqia onnxruntime"
ENGINES = (
    BASELINE, "pipeline batch 32", "torch fp32", "torch bf16",
    "onnxruntime fp32", "onnxruntime int8", "openvino fp32", "openvino bf16", "openvino int8",
    REFERENCE, "waqia onnxruntime int8", "waqia openvino", "waqia openvino int8",
)  # fmt: skip
QUICK = (BASELINE, "torch fp32", REFERENCE, "waqia onnxruntime int8", "waqia openvino")
NEEDS = {
    "pipeline": ("transformers", "torch"),
    "torch": ("transformers", "torch"),
    "onnxruntime": ("onnxruntime", "tokenizers"),
    "openvino": ("openvino", "tokenizers"),
    "waqia onnxruntime": ("waqia",),
    "waqia openvino": ("waqia", "openvino"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run measures."""

    engines: tuple[str, ...]
    repeats: int
    threads: int
    latencies: int  # passages read one by one
    seconds: float  # for each product of the limit
    articles: tuple[int, ...]  # lengths of the streams read by `waqia`


def build(name: str, passages: int | None, data: Sequence[Path], engines: Sequence[str], folder: Path) -> dict[str, Any]:
    """The models of a shape in a folder, made by `train.experiments.speed_models` in a process of its own; WaqiaError where it fails."""
    command = [sys.executable, "-m", "train.experiments.speed_models", name, str(folder), "--engines", *engines]
    command += ["--data", *map(str, data)] + (["--passages", str(passages)] if passages else [])
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise WaqiaError(f"{name}: its models could not be made ({done.returncode}): {done.stderr.strip()[-400:]}")
    return dict(json.loads((folder / "built.json").read_text("utf-8")))


def measure_shape(folder: Path, shape: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """All rounds of all engines over the models of a folder, and what they come to."""
    (folder / "shape.json").write_text(json.dumps(shape), "utf-8")
    limits: list[dict[str, float]] = []
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in plan.engines}
    for number in range(plan.repeats):
        limits.append(worker(folder, "gemm", plan))
        for name in plan.engines:
            log.info("%s, round %d of %d: %s", shape["name"], number + 1, plan.repeats, name)
            rounds[name].append(worker(folder, name, plan))
    engines = {name: figures(name, rounds, limits, shape) for name in plan.engines}
    streams = [
        {"engine": name, **worker(folder, name, plan, articles=count)}
        for name in plan.engines if name.startswith("waqia") and "unsupported" not in engines[name]
        for count in plan.articles
    ]  # fmt: skip
    limit = {name: median(one[name] for one in limits) for name in limits[0]}
    return {"shape": dict(shape), "limit_gflops": limit, "engines": engines, "articles": streams}


def worker(folder: Path, name: str, plan: Plan, articles: int = 0) -> dict[str, Any]:
    """One measurement in a new process; WaqiaError with its last words where it fails."""
    command = [sys.executable, "-m", "eval.speed.worker", str(folder), name, "--threads", str(plan.threads)]
    command += ["--latencies", str(plan.latencies), "--seconds", str(plan.seconds), "--articles", str(articles)]
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **quiet, "OMP_NUM_THREADS": str(plan.threads)}
    done = subprocess.run([*command, "--started", repr(time.time())], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise WaqiaError(f"{name}: the worker failed with {done.returncode}: {done.stderr.strip()[-400:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def figures(
    name: str, rounds: Mapping[str, Sequence[dict[str, Any]]], limits: Sequence[Mapping[str, float]], shape: Mapping[str, Any]
) -> dict[str, Any]:
    """What the rounds of one engine come to; `unsupported` alone where it cannot run here."""
    mine = rounds[name]
    if "unsupported" in mine[0]:
        return {"unsupported": mine[0]["unsupported"]}
    precision = name.split()[-1] if name.endswith(("bf16", "int8")) else "fp32"
    rates = [shape["texts"] / one["cpu_s"] for one in mine]
    waits = np.concatenate([one["latencies_s"] for one in mine]) * 1000
    result: dict[str, Any] = {
        "passages_per_cpu_s": spread(rates),
        "tokens_per_cpu_s": spread(rate * shape["tokens"] / shape["texts"] for rate in rates),
        "passages_per_wall_s": spread(shape["texts"] / one["wall_s"] for one in mine),
        "share_of_limit": spread(
            shape["flops"] / one["cpu_s"] / (limit[precision] * 1e9) for one, limit in zip(mine, limits, strict=True)
        ),
        "latency_ms": {f"p{at}": float(np.percentile(waits, at)) for at in (50, 95, 99)},
        "cold_start_s": spread(one["cold_s"] for one in mine),
        "peak_mb": max((one["peak_mb"] for one in mine if one["peak_mb"] is not None), default=None),
        "installed_mb": installed_mb(NEEDS[next(kind for kind in NEEDS if name.startswith(kind))]),
        "changed": mine[0]["changed"],
    }  # fmt: skip
    if "encoder_cpu_s" in mine[0]:
        result["encoder_share_of_limit"] = spread(
            shape["flops"] / one["encoder_cpu_s"] / (limit[precision] * 1e9) for one, limit in zip(mine, limits, strict=True)
        )
    if BASELINE in rounds:
        result["times_pipeline"] = spread(a["cpu_s"] / b["cpu_s"] for a, b in zip(rounds[BASELINE], mine, strict=True))
        slow = np.concatenate([one["latencies_s"] for one in rounds[BASELINE]]) * 1000
        result["p95_of_pipeline"] = result["latency_ms"]["p95"] / float(np.percentile(slow, 95))
    if name.startswith("waqia") and REFERENCE in rounds:
        theirs = rounds[REFERENCE][0]["answers"]
        result["unlike_reference"] = sum(a != b for a, b in zip(mine[0]["answers"], theirs, strict=True))
    return result


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, least and most."""
    seen = list(values)
    return {"median": median(seen), "min": min(seen), "max": max(seen)}


def installed_mb(names: Iterable[str]) -> float:
    """Size in MB (10^6 bytes) of installed distributions with everything that they require."""
    todo, seen, total = list(names), set(), 0
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # not required on this platform
        files = [Path(str(found.locate_file(file))) for file in found.files or ()]
        if name == "waqia":  # an editable install lists none of its files
            files = [path for path in (ROOT / "src/waqia").rglob("*") if "__pycache__" not in path.parts]
        total += sum(path.stat().st_size for path in files if path.is_file())
        needed = [Requirement(one) for one in found.requires or ()]
        todo += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return total / 1e6


def import_s(repeats: int) -> dict[str, float]:
    """Seconds that `import waqia` takes in a new process."""
    script = "import time; since = time.perf_counter(); import waqia; print(time.perf_counter() - since)"
    runs = [subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True) for _ in range(repeats)]
    return spread(float(done.stdout) for done in runs)


def machine() -> dict[str, Any]:
    """The processor, what it can multiply, how busy it is, and the versions of all that is measured."""
    told = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    lines = dict(line.split("\t", 1) for line in told.split("\n\n")[0].splitlines() if "\t" in line)
    flags = {flag for flag in " ".join(lines.values()).split() if flag.startswith(("avx", "amx"))}
    versions = {name: _version(name) for name in ("waqia", "onnxruntime", "openvino", "torch", "transformers", "tokenizers", "numpy")}
    name = lines.get("model name", platform.processor()).lstrip("\t: ")
    return {"processor": name, "cores": os.cpu_count(), "instructions": sorted(flags), "load": os.getloadavg()[0], "versions": versions}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def table(report: Mapping[str, Any]) -> list[str]:
    """The report as lines of text."""
    where, took = report["machine"], report["import_s"]
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items() if number)
    lines = [
        f"{where['processor']}, {where['cores']} cores, load {where['load']:.1f} at the start; {report['threads']} thread(s) an engine",
        versions,
        f"import waqia: {took['median']:.3f} s [{took['min']:.3f}, {took['max']:.3f}]",
    ]
    for measured in report["shapes"].values():
        lines += ["", *_shape_lines(measured)]
    return lines


def _shape_lines(measured: Mapping[str, Any]) -> list[str]:
    shape, limit = measured["shape"], measured["limit_gflops"]
    lines = [
        f"{shape['name']}: {shape['layers']} layers x {shape['width']}; {shape['texts']} passages, {shape['windows']} windows, "
        f"{shape['tokens']} tokens; limit a core: " + ", ".join(f"{name} {value:.0f}" for name, value in limit.items()) + " GFLOP/s",
        f"{'':24}{'passages/s':>11}{'[min, max]':>17}{'tokens/s':>10}{'x pipeline':>11}{'limit':>7}{'p50':>8}{'p95':>8}{'p99 ms':>8}"
        f"{'cold s':>8}{'peak MB':>9}{'inst. MB':>9}{'changed':>9}",
    ]
    for name, one in measured["engines"].items():
        lines.append(f"{name:24}" + (f"  {one['unsupported']}" if "unsupported" in one else _row(one)))
    compared = {name: one["unlike_reference"] for name, one in measured["engines"].items() if "unlike_reference" in one}
    if compared:
        counts = ", ".join(f"{name} {count}" for name, count in compared.items())
        lines.append(f"passages whose labels or offsets are unlike those of {REFERENCE}: {counts}")
    alone = {name: one["encoder_share_of_limit"]["median"] for name, one in measured["engines"].items() if "encoder_share_of_limit" in one}
    if alone:
        lines.append("the encode graph alone, of the limit: " + ", ".join(f"{name} {share:.0%}" for name, share in alone.items()))
    for one in measured["articles"]:
        memory = "" if one["peak_mb"] is None else f", peak {one['peak_mb']:.0f} MB"
        lines.append(f"{one['engine']}, a stream of {one['articles']}: {one['cpu_s'] * 1000:.2f} ms of processor time an article{memory}")
    return lines


def _row(one: Mapping[str, Any]) -> str:
    rate, wait = one["passages_per_cpu_s"], one["latency_ms"]
    between = f"[{rate['min']:.1f}, {rate['max']:.1f}]"
    times = f"{one['times_pipeline']['median']:.2f}" if "times_pipeline" in one else "–"
    peak = "–" if one["peak_mb"] is None else f"{one['peak_mb']:.0f}"
    return (
        f"{rate['median']:11.1f}{between:>17}{one['tokens_per_cpu_s']['median']:10.0f}{times:>11}{one['share_of_limit']['median']:7.0%}"
        f"{wait['p50']:8.1f}{wait['p95']:8.1f}{wait['p99']:8.1f}{one['cold_start_s']['median']:8.2f}{peak:>9}{one['installed_mb']:9.0f}"
        f"{one['changed']:9d}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Build the models, measure, print, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds: the shipped model, few engines, few passages")
    parser.add_argument("--out", type=Path, metavar="OUT", help="also write everything as JSON here")
    parser.add_argument("--shapes", nargs="+", default=["mini", "base"], help="tiny, mini, base (default: mini base)")
    known = ", ".join(map(repr, ENGINES))
    parser.add_argument("--engines", nargs="+", default=ENGINES, metavar="ENGINE", help=f"of {known} (default: all)")
    parser.add_argument("--passages", type=int, help="read in one measurement (default: 384 for mini, 48 for base)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of each engine (default: %(default)s)")
    parser.add_argument("--articles", type=int, nargs="*", default=[10, 100, 1000], help="lengths of streams (default: 10 100 1000)")
    parser.add_argument("--data", type=Path, nargs="+", default=sorted((ROOT / "data").glob("*.jsonl")), help="(default: data/*.jsonl)")
    parser.add_argument("--mix", choices=("passages", "archive"), default="passages", help="archive: see eval.speed.archive")
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared/data/corpus", help="of --mix archive (default: %(default)s)")
    parser.add_argument("--count", type=int, default=200, help="articles of --mix archive (default: %(default)s)")
    parser.add_argument("--screens", type=float, nargs="*", default=[0.01, 0.05], help="shares lost, of --mix archive (default: 0.01 0.05)")
    parser.add_argument("--price", type=float, metavar="USD", help="of an hour of one core, for --mix archive")
    args = parser.parse_args(argv)
    if args.mix == "archive":
        _archive(args)
        return
    plan = Plan(tuple(args.engines), args.repeats, args.threads, 100, 1.0, tuple(args.articles))
    if args.quick:
        args.shapes, args.passages = ["mini"], args.passages or 6
        plan = replace(plan, engines=QUICK, repeats=1, latencies=3, seconds=0.05, articles=(6,))
    report = measure_all(plan, args.shapes, args.passages, args.data)
    if args.out:
        args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(table(report)))


def _archive(args: Namespace) -> None:
    from eval.speed import archive  # which builds on this file

    count, repeats = (6, 1) if args.quick else (args.count, args.repeats)
    report = archive.run(args.corpus, args.data, count, args.screens, repeats, not args.quick, args.price)
    if args.out:
        args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(archive.table(report)))


def measure_all(plan: Plan, shapes: Sequence[str], passages: int | None, data: Sequence[Path]) -> dict[str, Any]:
    """Every shape measured, with the machine; ConfigError for an engine or a shape that is unknown."""
    for kind, given, known in (("engine", plan.engines, ENGINES), ("shape", shapes, SHAPES)):
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise ConfigError(f"{kind} {unknown} unknown, expected some of {', '.join(map(repr, known))}")
    measured = {}
    about = {"machine": machine(), "threads": plan.threads, "import_s": import_s(plan.repeats)}
    for name in shapes:
        with tempfile.TemporaryDirectory(prefix="waqia-speed-") as folder:
            measured[name] = measure_shape(Path(folder), build(name, passages, data, plan.engines, Path(folder)), plan)
    return {**about, "shapes": measured}
