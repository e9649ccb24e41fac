"""An artefact: the folder that inference loads, under a manifest that covers every one of its files and itself.

Format 2 (1 had no digest of the manifest, no known reading and no digest of the vocabulary): manifest.json holds

    format, model, card     what it is and how it was made
    files                   bytes and sha256 of each of FILES
    vocabulary              sha256 of the tokens in the order of their numbers
    reads                   what the artefact makes of the built-in sentence, see waqia.model.probe
    sha256                  of all of the above
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from waqia.errors import ArtefactError
from waqia.labels import LabelSet
from waqia.model.backends import GRAPHS, open_backend
from waqia.model.calibration import Calibration
from waqia.model.hub import HubName, fetch, hub_name
from waqia.model.memory import give_back
from waqia.model.probe import ask, compare
from waqia.model.tensors import Backend
from waqia.model.windows import WindowSettings

FORMAT = 2
MANIFEST = "manifest.json"
FILES = (*GRAPHS, "tokenizer.json", "labels.json", "settings.json")
BESIDE = ("README.md", ".gitattributes")  # a repository of the hub has these too; nothing reads them
PACKAGED = Path(__file__).parents[1] / "artefacts"
DEFAULT = PACKAGED / "waqia-mini-int8"
AGAIN = "export the artefact again: python -m train.export RUN ARTEFACT"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A verified artefact. `graphs` are the very bytes that were verified; `digest` is the manifest's own, which stands for all of it."""

    folder: Path
    model: str
    tokenizer: Tokenizer
    labels: LabelSet
    windows: WindowSettings
    calibration: Calibration
    card: Mapping[str, Any]
    graphs: Mapping[str, bytes]
    reads: Mapping[str, Mapping[str, float]]
    digest: str
    hub: HubName | None = None  # where it came from the Hugging Face hub: the repository and its commit

    @property
    def vocabulary(self) -> str:
        """sha256 of the tokens in the order of their numbers."""
        return _vocabulary(self.tokenizer)

    def open(self, backend: str = "onnxruntime", threads: int | None = None) -> Backend:
        """Open the graphs and read the built-in sentence; ArtefactError where that does not give what the manifest says."""
        try:
            opened = open_backend(backend, self.graphs, threads)
            give_back()
            compare(self.reads, ask(opened, self.tokenizer, self.labels, self.windows, self.calibration))
        except ArtefactError as error:
            raise ArtefactError(f"{self.folder}: {error}; copy the artefact again, or {AGAIN}") from error
        return opened


def load(folder: str | Path = DEFAULT, *, revision: str | None = None) -> Artefact:
    """Verify and read an artefact: a folder, the name of one in the package, or one on the Hugging Face hub, see `waqia.model.hub`.

    `revision` is a branch, tag or commit there. ArtefactError names the file that is missing, changed, extra, or of another format version.
    """
    name, folder = hub_name(folder, revision), Path(folder)
    if name is not None:
        folder, name = fetch(name, MANIFEST, FILES)
    elif len(folder.parts) == 1 and not os.path.lexists(folder) and (PACKAGED / folder).is_dir():
        folder = PACKAGED / folder
    folder = folder.absolute()
    manifest = _manifest(folder)
    held = _verified(folder, manifest)
    try:
        settings = json.loads(held["settings.json"])
        windows, calibration = WindowSettings(**settings["windows"]), Calibration.from_dict(settings["calibration"])
        labels = LabelSet.from_dict(json.loads(held["labels.json"]), str(folder / "labels.json"))
        tokenizer = Tokenizer.from_str(held["tokenizer.json"].decode("utf-8"))
        _fits(calibration, labels)
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ArtefactError(f"{folder}: settings.json, labels.json or tokenizer.json does not hold up ({error!r}); {AGAIN}") from error
    if _vocabulary(tokenizer) != manifest["vocabulary"]:
        raise ArtefactError(f"{folder / 'tokenizer.json'}: another vocabulary than the one in {MANIFEST}; {AGAIN}")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    graphs = {name: held[name] for name in GRAPHS}
    card, reads, digest = manifest["card"], manifest["reads"], manifest["sha256"]
    return Artefact(folder, manifest["model"], tokenizer, labels, windows, calibration, card, graphs, reads, digest, name)


def write(
    folder: Path,
    *,
    model: str,
    encode: Path,
    participants: Path,
    merge: Path,
    tokenizer: str,
    labels: LabelSet,
    windows: WindowSettings,
    calibration: Calibration,
    card: Mapping[str, Any] | None = None,
) -> None:
    """Put an artefact together beside its place and move it there whole; ArtefactError where something else stands in that place.

    `card` says how the model was made and what is known of it; it stands in the manifest for people to read. The graphs are opened and
    read the built-in sentence: an artefact whose parts do not fit is not written. Killed anywhere, the old or the new artefact stands
    (see `put_in_place`), and the next write removes what the killed one had begun.
    """
    if os.path.lexists(folder) and not (folder / MANIFEST).is_file():
        raise ArtefactError(f"{folder}: exists and is no artefact; choose another folder or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    partial, held_open = _begin(folder)
    try:
        settings = {"windows": asdict(windows), "calibration": calibration.to_dict()}
        held = {
            **dict(zip(GRAPHS, (path.read_bytes() for path in (encode, participants, merge)), strict=True)),
            "tokenizer.json": tokenizer.encode(),
            "labels.json": _dump(labels.to_dict()),
            "settings.json": _dump(settings),
        }
        built = Tokenizer.from_str(tokenizer)
        built.no_truncation()
        built.no_padding()
        _fits(calibration, labels)
        manifest = {
            "format": FORMAT,
            "model": model,
            "card": dict(card or {}),
            "files": {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in held.items()},
            "vocabulary": _vocabulary(built),
            "reads": ask(open_backend("onnxruntime", held), built, labels, windows, calibration),
        }
        manifest = json.loads(_dump(manifest))  # as it will be read: keys are text, tuples are lists
        for name, data in {**held, MANIFEST: _dump({**manifest, "sha256": _digest(manifest)})}.items():
            _write(partial / name, data)
        partial.chmod(0o755)
        put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if held_open is not None:
            os.close(held_open)


def _begin(folder: Path) -> tuple[Path, int | None]:
    """A folder beside the artefact's place, and the open file that holds its lock, so that no other write takes it for a dead one's."""
    while True:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        held = _lock(partial)
        if held is None or partial.is_dir():
            return partial, held
        os.close(held)  # swept between the two


def _sweep(folder: Path) -> None:
    """Remove what killed writes had begun beside the artefact's place: the folders that no process holds."""
    for partial in folder.parent.glob(f".{folder.name}-????????"):
        held = _lock(partial)
        if held is not None:
            shutil.rmtree(partial, ignore_errors=True)
            os.close(held)


def _lock(folder: Path) -> int | None:
    """Lock a folder until the file given is closed or the process ends; None where another has it, it is gone, or there are no locks."""
    try:
        import fcntl  # there is none on Windows

        held = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def put_in_place(partial: Path, folder: Path) -> None:
    """Move a finished folder to its place, where another may stand: killed anywhere, one of both stands there, whole.

    Linux exchanges the two in one step. Where that is not to be had (another system, some network file systems) the old one is moved to
    `.NAME-….old` for a moment; killed just then, it is found under that name, and `load` says so.
    """
    _sync(partial)
    if not os.path.lexists(folder):
        partial.rename(folder)
    elif not _exchange(partial, folder):
        old = partial.with_name(f"{partial.name}.old")
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    _sync(folder.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step (renameat2 with RENAME_EXCHANGE); False where the system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here = -100  # AT_FDCWD: paths are taken from the working folder
    return bool(renameat2(here, os.fsencode(one), here, os.fsencode(other), 2) == 0)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir() or not os.path.lexists(path):
        expected = "expected a folder written by python -m train.export RUN ARTEFACT"
        raise ArtefactError(f"{folder}: no {MANIFEST}{_left_over(folder)}; {expected}")
    raw = _bytes(path)
    try:
        manifest = json.loads(raw)
        found = manifest["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtefactError(f"{path}: not readable ({type(error).__name__}: {str(error)[:200]}); {AGAIN}") from error
    if found == 1:
        raise ArtefactError(f"{path}: format 1, this version of waqia reads format {FORMAT}, which proves more; {AGAIN}")
    if found != FORMAT:
        raise ArtefactError(f"{path}: format {found!r}, this version of waqia reads format {FORMAT}; {AGAIN}, or install its waqia")
    if not (isinstance(manifest, dict) and manifest.get("sha256") == _digest({k: v for k, v in manifest.items() if k != "sha256"})):
        raise ArtefactError(f"{path}: differs from its own sha256; copy the whole folder again, or {AGAIN}")
    shape = {"model": str, "card": dict, "files": dict, "vocabulary": str, "reads": dict}
    wrong = [key for key, kind in shape.items() if not isinstance(manifest.get(key), kind)]
    wrong += [f"files {name}" for name, file in (manifest["files"].items() if not wrong else ()) if not isinstance(file, dict)]
    if wrong or not all(isinstance(answers, dict) for answers in manifest["reads"].values()):
        raise ArtefactError(f"{path}: {', '.join(wrong) or 'reads'} missing or of the wrong kind; {AGAIN}")
    return manifest


def _left_over(folder: Path) -> str:
    """Where a write that was killed between two renames has left the old artefact."""
    left = sorted(folder.parent.glob(f".{folder.name}-*.old")) if not os.path.lexists(folder) and folder.parent.is_dir() else []
    return f"; a write was interrupted: the artefact before it is {left[-1]}, rename it" if left else ""


def _verified(folder: Path, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """The files' bytes by name, each hashed once it is in memory: what is verified is what is used."""
    present = {path.name for path in folder.iterdir()} - {MANIFEST, *BESIDE}
    held = {}
    for name in sorted(present | set(FILES) | set(manifest["files"])):
        if name not in manifest["files"] or name not in FILES:
            raise ArtefactError(f"{folder / name}: not in the manifest of format {FORMAT}; remove it, or {AGAIN}")
        if name not in present:
            raise ArtefactError(f"{folder / name}: missing; copy the whole folder again, or {AGAIN}")
        held[name] = _bytes(folder / name)
        if hashlib.sha256(held[name]).hexdigest() != manifest["files"][name].get("sha256"):
            raise ArtefactError(f"{folder / name}: differs from its sha256 in {MANIFEST}; copy the whole folder again, or {AGAIN}")
    return held


def _bytes(path: Path) -> bytes:
    """The content of a regular file; ArtefactError for a pipe (which would wait for ever), a folder, a link to nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ArtefactError(f"{path}: no regular file; expected the file of an artefact, {AGAIN}")
            return file.read()
    except OSError as error:
        raise ArtefactError(f"{path}: {error.strerror}; copy the whole folder again, or {AGAIN}") from error


def _fits(calibration: Calibration, labels: LabelSet) -> None:
    """ArtefactError where a number of the calibration is none, or belongs to no label or to none of this label set."""
    thresholds = {"trigger_thresholds": labels.incident_types, "role_thresholds": labels.roles}
    for name, value in calibration.to_dict().items():
        if name in thresholds and list(value) != list(thresholds[name]):
            raise ArtefactError(f"{name} name {', '.join(value)}; expected {', '.join(thresholds[name])}, in this order")
        for number in value.values() if isinstance(value, dict) else [value]:
            good = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
            if not good or number < 0 or (number == 0 and name.endswith("_temperature")):
                raise ArtefactError(f"{name} holds {number!r}; expected a finite number, not below 0, and no temperature of 0")


def _vocabulary(tokenizer: Tokenizer) -> str:
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()


def _digest(manifest: Mapping[str, Any]) -> str:
    """sha256 of the manifest's content, whatever its white space and the order of its keys."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _dump(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
