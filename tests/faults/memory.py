"""The memory that one long text takes, measured in a process of its own: python -m tests.faults.memory CHARACTERS TEXT [--windows]

TEXT is news, stops («!» alone) or words without white space. The text is read whole with the model of tables (`tests.faults.fuzz`), which
takes every step but the encoder, whose batches do not grow with a text; with --windows it is only cut into windows, what grows with it.
One line of JSON says how much the resident memory grew at most, in MB and in bytes a character.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.fuzz import table_artefact
from waqia import Reader
from waqia.model import artefact
from waqia.model.windows import WindowSettings, cut

SETTINGS = WindowSettings(256, 64)
TEXTS = {
    "news": "قصفت الطائرات البلدة رقم 7 مساء أمس وقتل ثلاثة مدنيين. ثم عاد الهدوء إلى الأحياء الشرقية من المدينة.\n",
    "stops": "!",
    "run": "قصف",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Warm up with a short text, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("characters", type=int)
    parser.add_argument("text", choices=TEXTS)
    parser.add_argument("--windows", action="store_true")
    args = parser.parse_args(argv)
    unit = TEXTS[args.text]
    text = unit * (args.characters // len(unit))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer, reader = artefact.load().tokenizer, None
        if not args.windows:
            reader = Reader.load(table_artefact(Path(folder) / "table", 1, SETTINGS), threads=1)
            reader.read(text[:50_000])
        cut(text[:200_000], tokenizer, SETTINGS)
        before, began = peak(), time.process_time()
        windows = reader.read(text).windows if reader else len(cut(text, tokenizer, SETTINGS))
        more = peak() - before
    said = {"characters": len(text), "text": args.text, "windows": windows, "read": reader is not None}
    print(json.dumps({**said, "before_mb": before >> 20, "more_mb": more >> 20, "bytes_a_character": round(more / len(text), 1),
                      "cpu_seconds": round(time.process_time() - began, 1)}))  # fmt: skip


def peak() -> int:
    """The most resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
