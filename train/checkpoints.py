"""Files that count only when whole: checkpoints and caches carry a manifest of sizes and hashes, written last; nothing else is taken up."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path

from waqia.errors import ConfigError
from waqia.model.artefact import put_in_place

log = logging.getLogger("train.checkpoints")

MANIFEST = "manifest.json"
PARTIAL = ".partial"  # behind the name of a folder that is being written
SET_ASIDE = f"{PARTIAL}.old"  # what `put_in_place` calls the one before it


def seal(folder: Path, key: str) -> None:
    """Write the manifest of a folder's files; only then do `newest_valid` and `is_whole` see it. `key` says what it was made from."""
    files = {str(path.relative_to(folder)): _sum(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST}
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(json.dumps({"config": key, "files": files}, indent=1), "utf-8")
    partial.rename(folder / MANIFEST)


def is_whole(folder: Path, key: str) -> bool:
    """Whether a folder was sealed under this key and is unchanged since."""
    return _manifest(folder) == key


def newest_valid(root: Path, config_hash: str) -> str | None:
    """The newest checkpoint-N under root that is whole, or None; ConfigError where it was made with another configuration."""
    found = [folder for folder in root.glob("checkpoint-*") if folder.name.rpartition("-")[2].isdigit()]
    for folder in sorted(found, key=lambda folder: int(folder.name.rpartition("-")[2]), reverse=True):
        manifest = _manifest(folder)
        if manifest is None:
            log.warning("%s is not whole and is passed over", folder)
        elif manifest != config_hash:
            raise ConfigError(
                f"{folder} was made with another configuration, label set, encoder, vocabulary, data or number of processes; "
                f"change `output` or remove {root}"
            )
        else:
            log.info("going on from %s", folder)
            return str(folder)
    return None


def seal_file(partial: Path, path: Path) -> None:
    """Put a finished file in its place and its hash beside it; `file_is_whole` then takes it."""
    said = path.with_name(f"{path.name}.sha256")
    said.unlink(missing_ok=True)
    total = _sum(partial)
    partial.rename(path)
    beside = path.with_name(f"{path.name}.sha256.partial")
    beside.write_text(total + "\n", "utf-8")
    beside.rename(said)


def file_is_whole(path: Path) -> bool:
    """Whether a file was sealed and is unchanged since; one that is there but not whole is logged."""
    try:
        whole = _sum(path) == path.with_name(f"{path.name}.sha256").read_text("utf-8").strip()
    except (OSError, ValueError):
        whole = False
    if path.exists() and not whole:
        log.warning("%s is not whole and is made again", path)
    return whole


def replace_folder(new: Path, target: Path) -> None:
    """Put a folder in the place of another: killed at any moment, the old one or the new one stands there, whole.

    Where the system cannot exchange two folders in one step, the old one may be set aside for a moment; see `restore`.
    """
    put_in_place(new, target)
    shutil.rmtree(new, ignore_errors=True)  # by now the old one, where both were exchanged


def restore(target: Path) -> None:
    """Bring back what a killed `replace_folder` had set aside."""
    old = target.with_name(f"{target.name}{SET_ASIDE}")
    if not target.exists() and old.is_dir():
        old.rename(target)


def _manifest(folder: Path) -> str | None:
    """The key of a folder whose every file is there and unchanged, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        whole = all(_sum(folder / name) == kept for name, kept in manifest["files"].items())
        return str(manifest["config"]) if whole else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.stat().st_size}:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def check_run(folder: Path) -> None:
    """ConfigError unless a folder holds all files of a finished run; takes no torch."""
    if (folder / "encoder.json").is_file():
        raise ConfigError(f"{folder}: a run of the form before 0.2 (encoder.json); expected config.json: fine-tune again")
    for name in ("config.yaml", "calibration.json", "config.json", "tokenizer.json", "model.safetensors", "facts.json"):
        if not (folder / name).is_file():
            raise ConfigError(f"{folder}: {name} is missing; expected the output folder of a finished python -m train.finetune")
