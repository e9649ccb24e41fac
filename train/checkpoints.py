"""Checkpoints that count only when whole: a manifest of sizes and hashes is written last, and resuming takes nothing without one."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from waqia.errors import ConfigError

log = logging.getLogger("train.checkpoints")

MANIFEST = "manifest.json"


def seal(folder: Path, config_hash: str) -> None:
    """Write the manifest of a checkpoint's files; only then does `newest_valid` see it."""
    files = {str(path.relative_to(folder)): _sum(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST}
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(json.dumps({"config": config_hash, "files": files}, indent=1), "utf-8")
    partial.rename(folder / MANIFEST)


def newest_valid(root: Path, config_hash: str) -> str | None:
    """The newest checkpoint-N under root that is whole, or None; ConfigError where it was made with another configuration."""
    found = [folder for folder in root.glob("checkpoint-*") if folder.name.rpartition("-")[2].isdigit()]
    for folder in sorted(found, key=lambda folder: int(folder.name.rpartition("-")[2]), reverse=True):
        manifest = _manifest(folder)
        if manifest is None:
            log.warning("%s is not whole and is passed over", folder)
        elif manifest != config_hash:
            raise ConfigError(f"{folder} was made with another configuration or other data; change `output` or remove {root}")
        else:
            log.info("going on from %s", folder)
            return str(folder)
    return None


def _manifest(folder: Path) -> str | None:
    """The configuration hash of a checkpoint whose every file is there and unchanged, else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        whole = all(_sum(folder / name) == kept for name, kept in manifest["files"].items())
        return str(manifest["config"]) if whole else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.stat().st_size}:{hashlib.file_digest(file, 'sha256').hexdigest()}"
