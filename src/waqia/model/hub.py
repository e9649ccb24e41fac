"""Artefacts on the Hugging Face hub: which names mean one, fetching it through huggingface_hub and its cache, uploading it.

A name is `org/name` or `org/name@revision`. It is never taken for one where a folder of that name, or its first part, stands here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import waqia
from waqia.errors import ArtefactError, ConfigError

PUSHED_BY = "python -m train.push ARTEFACT ORG/NAME"
_NAME = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+(?:/[\w.-]+)*))?")


class HubName(NamedTuple):
    """A repository and, where one is asked for, its branch, tag or commit."""

    repository: str
    revision: str | None

    def __str__(self) -> str:
        return self.repository if self.revision is None else f"{self.repository}@{self.revision}"


def hub_name(path: str | Path, revision: str | None = None) -> HubName | None:
    """What a path names on the hub, or None where it is a path of this machine; ConfigError for two revisions, or one of a folder here."""
    text = path.as_posix() if isinstance(path, Path) else path
    found = _NAME.fullmatch(text)
    if found is None or os.path.lexists(text) or os.path.lexists(text.partition("/")[0]):
        if revision is not None:
            raise ConfigError(f"revision is {revision!r}, but {path} is no name on the Hugging Face hub; expected org/name")
        return None
    repository, said = found["repository"], found["revision"]
    if revision is not None and said is not None and said != revision:
        raise ConfigError(f"{path}: names revision {said!r}, and revision is {revision!r}; give one of them")
    return HubName(repository, revision if revision is not None else said)


def fetch(name: HubName, manifest: str, files: Sequence[str]) -> tuple[Path, HubName]:
    """The folder of the cache that holds the files, and the name with the commit that they belong to.

    The revision is resolved once, with the manifest; all other files are of that very commit, so that what is in the cache whole costs one
    request, none where a commit is named. HF_HOME, HF_HUB_OFFLINE, HF_TOKEN and HF_ENDPOINT hold. ConfigError without huggingface_hub,
    ArtefactError where there is no such repository, revision or file, or it is neither in the cache nor to be had.
    """
    hub = _client(f"{name}: no such folder here, and reading it from the Hugging Face hub")
    with _told(str(name), hub):
        path = Path(_download(hub, name, manifest))
        commit = HubName(name.repository, path.parent.name)
        for file in files:
            _download(hub, commit, file)
    return path.parent, commit


def push(repository: str, files: Mapping[str, Path | bytes], *, private: bool | None = None, message: str) -> str:
    """Commit files, by their names in the repository, to a model repository, which is made where there is none; the commit's address.

    HF_TOKEN, or what `hf auth login` has kept, says who writes. ConfigError without huggingface_hub or for a name that is none,
    ArtefactError where the hub refuses or cannot be reached.
    """
    found = _NAME.fullmatch(repository)
    if found is None or found["revision"] is not None:
        raise ConfigError(f"{repository!r}: expected the name of a repository on the Hugging Face hub, org/name")
    hub = _client(f"writing {repository} to the Hugging Face hub")
    with _told(repository, hub):
        api = hub.HfApi(library_name="waqia", library_version=waqia.__version__)
        api.create_repo(repository, private=private, exist_ok=True)
        sources = {name: file if isinstance(file, bytes) else str(file) for name, file in files.items()}
        operations = [hub.CommitOperationAdd(name, source) for name, source in sources.items()]
        return str(api.create_commit(repository, operations, commit_message=message).commit_url)


def _download(hub: ModuleType, name: HubName, file: str) -> str:
    said = {"library_name": "waqia", "library_version": waqia.__version__}
    return str(hub.hf_hub_download(name.repository, file, revision=name.revision, **said))


def _client(needed: str) -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise ConfigError(f"{needed} needs pip install 'waqia[hub]' ({error})") from error
    return huggingface_hub


@contextmanager
def _told(name: str, hub: ModuleType) -> Iterator[None]:
    """What the hub's client raises, as an ArtefactError that says what to do."""
    errors = hub.errors
    try:
        yield
    except errors.GatedRepoError as error:
        raise ArtefactError(f"{name}: the hub asks for consent; accept its terms on the repository's page and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise ArtefactError(
            f"{name}: no such folder here, and the Hugging Face hub has no such repository, or shows it to its members only; "
            "expected the path of an artefact or org/name; set HF_TOKEN for a private one"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ArtefactError(f"{name}: the repository is there, that revision is not; expected a branch, tag or commit of it") from error
    except errors.LocalEntryNotFoundError as error:
        raise ArtefactError(_absent(name, hub)) from error
    except errors.EntryNotFoundError as error:
        raise ArtefactError(f"{name}: is no artefact of Waqia ({_first_line(error)}); expected what {PUSHED_BY} has written") from error
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled) as error:
        raise ArtefactError(f"{name}: the Hugging Face hub refused or cannot be reached ({_first_line(error)})") from error


def _absent(name: str, hub: ModuleType) -> str:
    offline = hub.constants.is_offline_mode()
    why = "HF_HUB_OFFLINE keeps it from being fetched" if offline else "the hub could not be reached"
    once = "unset HF_HUB_OFFLINE" if offline else "try again"
    return (
        f"{name}: no such folder here, not whole in the Hugging Face cache {hub.constants.HF_HUB_CACHE}, and {why}; {once}, or set HF_HOME "
        f"to a cache that has it (hf download {name.partition('@')[0]})"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
