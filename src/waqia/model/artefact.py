"""An artefact: the folder that inference loads, under a manifest that every one of its files must match."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from waqia.errors import ArtefactError
from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.windows import WindowSettings

FORMAT = 1
MANIFEST = "manifest.json"
FILES = ("encode.onnx", "participants.onnx", "tokenizer.json", "labels.json", "settings.json")
PACKAGED = Path(__file__).parents[1] / "artefacts"
DEFAULT = PACKAGED / "waqia-mini-int8"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A verified artefact, its graphs still on disk in `folder`."""

    folder: Path
    model: str
    tokenizer: Tokenizer
    labels: LabelSet
    windows: WindowSettings
    calibration: Calibration
    card: Mapping[str, Any]


def load(folder: str | Path = DEFAULT) -> Artefact:
    """Verify and read an artefact: a folder, or the name of one in the package.

    ArtefactError names the file that is missing, changed, extra, or of another format version.
    """
    folder = Path(folder)
    if len(folder.parts) == 1 and not folder.exists() and (PACKAGED / folder).is_dir():
        folder = PACKAGED / folder
    folder = folder.absolute()
    manifest = _manifest(folder)
    _verify(folder, manifest)
    try:
        settings = json.loads((folder / "settings.json").read_text("utf-8"))
        windows, calibration = WindowSettings(**settings["windows"]), Calibration.from_dict(settings["calibration"])
        labels = LabelSet.load(folder / "labels.json")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises bare Exceptions
        raise ArtefactError(f"{folder}: settings.json, labels.json or tokenizer.json does not hold up ({error!r}); export again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Artefact(folder, manifest["model"], tokenizer, labels, windows, calibration, manifest.get("card", {}))


def write(
    folder: Path,
    *,
    model: str,
    encode: Path,
    participants: Path,
    tokenizer: str,
    labels: LabelSet,
    windows: WindowSettings,
    calibration: Calibration,
    card: Mapping[str, Any] | None = None,
) -> None:
    """Put an artefact together beside its place and move it there whole; ArtefactError where something else stands in that place.

    `card` says how the model was made and what is known of it; it stands in the manifest for people to read.
    """
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ArtefactError(f"{folder}: exists and is no artefact; choose another folder or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        shutil.copy(encode, partial / "encode.onnx")
        shutil.copy(participants, partial / "participants.onnx")
        (partial / "tokenizer.json").write_text(tokenizer, "utf-8")
        _write_json(partial / "labels.json", labels.to_dict())
        _write_json(partial / "settings.json", {"windows": asdict(windows), "calibration": calibration.to_dict()})
        files = {name: {"bytes": (partial / name).stat().st_size, "sha256": _sha256(partial / name)} for name in FILES}
        _write_json(partial / MANIFEST, {"format": FORMAT, "model": model, "card": dict(card or {}), "files": files})
        partial.chmod(0o755)
        if folder.exists():
            folder.rename(partial.with_suffix(".old"))
        partial.rename(folder)
        shutil.rmtree(partial.with_suffix(".old"), ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {MANIFEST}; expected a folder written by python -m train.export RUN ARTEFACT")
    try:
        manifest = json.loads(path.read_text("utf-8"))
        found, files = manifest["format"], manifest["files"]
        good = isinstance(manifest["model"], str) and all(isinstance(file["sha256"], str) for file in files.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path}: not readable ({error!r}); export the artefact again") from error
    if found != FORMAT or not good:
        raise ArtefactError(f"{path}: format {found!r}, this version of waqia reads format {FORMAT}; export again or install its waqia")
    return dict(manifest)


def _verify(folder: Path, manifest: dict[str, Any]) -> None:
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    for name in sorted(present | set(FILES) | set(manifest["files"])):
        if name not in manifest["files"] or name not in FILES:
            raise ArtefactError(f"{folder / name}: not in the manifest of format {FORMAT}; remove it or export the artefact again")
        if name not in present:
            raise ArtefactError(f"{folder / name}: missing; copy the whole folder or export the artefact again")
        if _sha256(folder / name) != manifest["files"][name].get("sha256"):
            raise ArtefactError(f"{folder / name}: differs from its sha256 in {MANIFEST}; copy or export the artefact again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")
