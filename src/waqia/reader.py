"""The reader that applications use: an artefact opened with a backend, texts in, readings out."""

from __future__ import annotations

import ctypes
import datetime
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Self

import waqia
from waqia.bulk.screen import Screen
from waqia.document.facts import add_facts, parse_date
from waqia.document.options import Facts, Tables, version_of
from waqia.errors import ArtefactError, ConfigError
from waqia.labels import LabelSet
from waqia.model import artefact
from waqia.model.backends import MOST_THREADS
from waqia.model.calibration import AtLeast
from waqia.model.pipeline import Model, cut_texts, read_texts, read_windows
from waqia.model.windows import Window
from waqia.schema import Reading

log = logging.getLogger("waqia.reader")

Day = datetime.date | str | None  # the day of a text, "2023-05-12" or a date
LOOK_AHEAD = 64  # texts read together, so that windows of like length share a batch
LOOK_AHEAD_CHARACTERS = 200_000  # fewer where the texts are long


class Reader:
    """Reads Arabic news into incidents with their facts; make one with `Reader.load` and keep it.

    Picklable: a copy opens the artefact again, and takes the tables of its facts along.
    """

    def __init__(
        self,
        loaded: artefact.Artefact,
        backend: str,
        threads: int | None,
        tables: Tables,
        at_least: AtLeast = None,
        screen: Screen | None = None,
    ) -> None:
        self._tables, self._screen = tables, screen
        if screen is not None:
            _fits(screen, loaded)
        self._folder, self._backend, self._threads, self._at_least = loaded.folder, backend, threads, at_least
        self._hub = loaded.hub
        self._digest, self._process, self._opening = loaded.digest, os.getpid(), Lock()
        self._fitted = loaded.calibration
        calibration = self._fitted.at_least(at_least)
        opened = loaded.open(backend, threads)
        self._model = Model(loaded.model, opened, loaded.tokenizer, loaded.labels, loaded.windows, calibration)

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        revision: str | None = None,
        backend: str = "onnxruntime",
        threads: int | None = None,
        at_least: AtLeast = None,
        facts: Facts | None = None,
        screen: Screen | None = None,
    ) -> Self:
        """Open an artefact with "onnxruntime" or "openvino" (`pip install waqia[openvino]`).

        `path` is a folder, or the name of the artefact in the package, "waqia-mini-int8", which is also the default, or "org/name" on the
        Hugging Face hub (`pip install waqia[hub]`) where no such folder, nor one named "org", stands here; `revision` is a branch, tag or
        commit there, as in "org/name@revision".
        `threads` run the model, None takes what the backend chooses; `read_many` tokenises in one more. `at_least` holds where a call
        gives none of its own (see `read`). `facts` says which facts the readings carry and from which tables, None all of them from the
        tables in the package. A `screen` (`waqia.bulk.screen.load()`) spares `read_many` the windows that hardly report anything; `read`
        reads all. ArtefactError names what is missing, changed or of another version, ConfigError a backend that is unknown
        or not installed, RecordError a fault in a table of yours.
        """
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise ConfigError(f"threads is {threads}, expected 1 to {MOST_THREADS}, or None for the backend's own choice")
        loaded = artefact.load(artefact.DEFAULT if path is None else path, revision=revision)
        return cls(loaded, backend, threads, (facts or Facts()).open(loaded.labels), at_least, screen)

    def __repr__(self) -> str:
        return f"Reader(model={self.model!r}, labels={self.labels.name!r}, backend={self._backend!r})"

    @property
    def labels(self) -> LabelSet:
        """The label set that the readings use."""
        return self._model.labels

    @property
    def model(self) -> str:
        """The name of the model that the readings carry."""
        return self._model.name

    @property
    def facts(self) -> Facts:
        """Which facts the readings carry, and from which tables."""
        return self._tables.facts

    @property
    def identity(self) -> dict[str, str]:
        """All that readings depend on besides the text; outputs of readers with equal identities can be mixed."""
        asked = {} if self._at_least is None else {"at_least": json.dumps(self._at_least, sort_keys=True)}
        screened = {} if self._screen is None else {"screen": self._screen.identity}
        hijri = {"hijri": version_of("hijridate")} if self.facts.dates else {}
        return {
            "artefact": self._digest,
            "model": self.model,
            "facts": self._tables.identity,
            "backend": f"{self._backend} {import_module(self._backend).__version__}",
            "waqia": waqia.__version__,
            **hijri,
            **asked,
            **screened,
        }

    def read(self, text: str, *, date: Day = None, at_least: AtLeast = None) -> Reading:
        """Read one text, however long; offsets index `text` as given, in code points. What cannot be read gives `error`, no exception.

        `date` is the day of the text, a date or "YYYY-MM-DD", from which «أمس» counts; without it, or with "YYYY-MM" or "YYYY", only full
        dates resolve.
        `at_least` takes the place of the fitted thresholds: the least probability of every incident (0.8), or by type and role
        ({"protest": 0.3, "place": 0.6}), the others as fitted. ConfigError where it names neither, or is no probability.
        """
        return self._one(text, date, self._with(at_least))

    def _one(self, text: str, date: Day, model: Model) -> Reading:
        try:
            if not isinstance(text, str):
                raise TypeError(f"found {type(text).__name__}, expected str")
            day = parse_date(date)
            return add_facts(text, read_texts([text], model)[0], day, tables=self._tables)
        except Exception as error:  # one bad text must never stop a job that reads millions
            return self._failed(error)

    def read_many(self, texts: Iterable[str | tuple[str, Day]], *, at_least: AtLeast = None) -> Iterator[Reading]:
        """Read a stream of texts, or of (text, date), one Reading each in the same order, looking a bounded number of texts ahead.

        Texts are taken in groups of at most LOOK_AHEAD, always from the caller's thread; while the model reads one group, another thread
        tokenises the next. `at_least` as in `read`, for all of them. Where the reader has a screen, `screened` counts the windows of a text
        that were not read. TypeError for one text, which would be read letter by letter.
        """
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"read_many takes many texts, found one {type(texts).__name__}; use read(text), or read_many([text])")
        model = self._with(at_least)
        return self._stream(texts, model if self._screen is None else replace(model, keep=self._screen.keep))

    def _stream(self, texts: Iterable[str | tuple[str, Day]], model: Model) -> Iterator[Reading]:
        with ThreadPoolExecutor(1, "waqia-tokenise") as thread:
            group: list[tuple[str, Day]] = []
            windows = thread.submit(cut_texts, [], model)
            for following in groups(texts):
                ahead = thread.submit(cut_texts, [text for text, _ in following], model)
                yield from self._group(group, windows, model)
                group, windows = following, ahead

    def _with(self, at_least: AtLeast) -> Model:
        model = self._here()
        return model if at_least is None else replace(model, calibration=self._fitted.at_least(at_least))

    def _here(self) -> Model:
        """The model, opened again in a process forked from the one that loaded it: a fork has the runtime's memory, not its threads."""
        if self._process != os.getpid():
            with self._opening:
                if self._process != os.getpid():
                    before = self._model
                    ctypes.pythonapi.Py_IncRef(ctypes.py_object(before.backend))  # closing it would wait for threads that are not here
                    self._model = replace(before, backend=self._same(artefact.load(self._folder)).open(self._backend, self._threads))
                    self._process = os.getpid()
        return self._model

    def _same(self, loaded: artefact.Artefact) -> artefact.Artefact:
        if loaded.digest != self._digest:
            raise ArtefactError(f"{self._folder}: has changed since it was loaded; load it again")
        return loaded

    def _group(self, group: list[tuple[str, Day]], windows: Future[list[Sequence[Window]]], model: Model) -> list[Reading]:
        try:
            days = [parse_date(date) for _, date in group]
            texts = [text for text, _ in group]
            readings = zip(texts, read_windows(texts, windows.result(), model), days, strict=True)
            return [add_facts(text, reading, day, tables=self._tables) for text, reading, day in readings]
        except Exception:  # some text of the group is bad: read one by one to find out which
            return [self._one(text, date, model) for text, date in group]

    def _failed(self, error: Exception) -> Reading:
        label_set = f"{self._model.labels.name}/{self._model.labels.version}"
        return Reading(label_set=label_set, model=self._model.name, error=f"{type(error).__name__}: {error}")

    def __reduce__(self) -> tuple[Any, ...]:
        folder: str | Path = self._folder
        if self._hub is not None:  # what another machine may have elsewhere goes by its name
            folder = str(self._hub)
        elif self._folder.parent == artefact.PACKAGED:
            folder = self._folder.name
        return _reload, (folder, self._backend, self._threads, self._tables, self._at_least, self._screen, self.identity)


def _reload(
    folder: str | Path,
    backend: str,
    threads: int | None,
    tables: Tables,
    at_least: AtLeast,
    screen: Screen | None,
    identity: Mapping[str, str],
) -> Reader:
    loaded = artefact.load(folder)
    if loaded.digest != identity["artefact"]:
        raise ArtefactError(f"{loaded.folder}: is another artefact than the one that was pickled; put the same on every machine")
    reader = Reader(loaded, backend, threads, tables, at_least, screen)
    if others := differences(identity, reader.identity):
        raise ConfigError(f"{loaded.folder}: the pickled reader read with {'; '.join(others)}; install the same on every machine")
    return reader


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """In what two identities of readers differ, for people to read."""
    return [f"{key} {before.get(key)!r}, now {now.get(key)!r}" for key in sorted({*before, *now}) if before.get(key) != now.get(key)]


def _fits(screen: Screen, loaded: artefact.Artefact) -> None:
    """ConfigError where a screen knows other tokens than the artefact has; a warning where its bound was proved for another artefact."""
    if screen.vocabulary != loaded.vocabulary:
        raise ConfigError(f"{screen.name}: knows another vocabulary than {loaded.folder} has; make a screen: python -m train.screening")
    if screen.model != loaded.digest:
        log.warning("%s was proved for another artefact than %s: its bound does not hold here", screen.name, loaded.folder)


def groups(texts: Iterable[str | tuple[str, Day]]) -> Iterator[list[tuple[str, Day]]]:
    """Texts in groups to be read together, and an empty one at the end; a stream that breaks gives all that it had before it raises."""
    group: list[tuple[str, Day]] = []
    characters, fault = 0, None
    try:
        for item in texts:
            text, date = item if isinstance(item, tuple) else (item, None)
            group.append((text, date))
            characters += len(text) if isinstance(text, str) else 0
            if len(group) >= LOOK_AHEAD or characters >= LOOK_AHEAD_CHARACTERS:
                yield group
                group, characters = [], 0
    except Exception as error:  # the stream broke, not its texts
        fault = error
    yield group
    yield []  # by now every other group was read
    if fault is not None:
        raise fault
