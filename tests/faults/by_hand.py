"""Faults by the hundred and texts by the million: what CI does a little of, as often as asked for.

    python -m tests.faults.by_hand batch --kills 500 --seed 1        # also: artefact, finetune, pretrain, ray
    python -m tests.faults.by_hand fuzz --texts 1000000 --seed 1     # with --model shipped: the model of the package, far slower

One line of JSON says what was really done. Ends with 1 where a result differs from an undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults import kills
from tests.faults.fuzz import fuzz

KILLS = {
    "batch": kills.kill_batches,
    "artefact": kills.kill_artefact_writes,
    "finetune": kills.kill_finetunings,
    "pretrain": kills.kill_pretrainings,
    "ray": kills.kill_ray_workers,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Do one kind of fault and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name in KILLS:
        kinds.add_parser(name).add_argument("--kills", type=int, required=True, metavar="N")
    own = kinds.add_parser("fuzz")
    own.add_argument("--texts", type=int, required=True, metavar="N")
    own.add_argument("--model", choices=["table", "shipped"], default="table", help="see tests.faults.fuzz (default: %(default)s)")
    for one in kinds.choices.values():
        one.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if args.kind == "fuzz":
            done = fuzz(Path(folder), args.texts, args.seed, args.model)
            wrong = done["wrong"]
        else:
            tally = KILLS[args.kind](Path(folder), args.kills, args.seed)
            done, wrong = {"kills": tally.kills, "results": tally.results, "wrong": tally.wrong}, tally.wrong
    print(json.dumps({"kind": args.kind, "seed": args.seed, **done, "seconds": round(time.monotonic() - began)}, ensure_ascii=False))
    return 1 if wrong else 0


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main())
