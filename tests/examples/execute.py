"""Execute the notebooks of examples/ and store what their cells show: python -m tests.examples.execute [NOTEBOOK …] [--out FOLDER]

Without --out the notebooks themselves are replaced, all of them or none: run it whenever the model in the package changes. Ends with 1
where a cell raises. Each kernel starts in an empty folder, with the clone on PYTHONPATH; cells that take over five minutes are stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError as CellError
from nbclient.exceptions import CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CELL_SECONDS = 300  # a minute's training on a busy machine
PLAIN = 800  # characters of an output's plain form that are kept beside its HTML


def main(argv: Sequence[str] | None = None) -> int:
    """Execute, then write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="(default: all of examples/)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write the executed notebooks here (default: in place)")
    args = parser.parse_args(argv)
    paths = args.notebooks or sorted(EXAMPLES.glob("*.ipynb"))
    executed = []
    for path in paths:
        try:
            executed.append(execute(path))
        except (CellError, CellTimeoutError, DeadKernelError) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            return 1
        print(f"{path.name}: executed", file=sys.stderr)
    for path, notebook in zip(paths, executed, strict=True):
        target = path if args.out is None else args.out / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
    return 0


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook with fresh outputs, run by this very Python; the errors of nbclient where a cell raises, hangs or kills its kernel."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "work")
        work.mkdir()
        client = NotebookClient(
            notebook, timeout=CELL_SECONDS, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(work)}}
        )
        client.execute(env=environment(Path(folder, "ipython")))
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "text/html" in output.get("data", {}):  # what GitHub shows in place of a frame: the first of it is enough
            output["data"]["text/plain"] = output["data"]["text/plain"][:PLAIN]
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}  # no versions of this machine
    nbformat.validate(notebook)
    return notebook


def environment(profile: Path) -> dict[str, str]:
    """This process's environment for a kernel: the clone can be imported, and nothing is written to the home folder."""
    found = os.pathsep.join(filter(None, (str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": found, "IPYTHONDIR": str(profile), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}


if __name__ == "__main__":
    sys.exit(main())
