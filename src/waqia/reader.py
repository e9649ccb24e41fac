"""The reader that applications use: an artefact opened with ONNX Runtime, texts in, readings out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from waqia import artefact
from waqia.decode import Encoded, Floats, Model, Participants, Triggers, read_texts
from waqia.errors import ArtefactError, ConfigError
from waqia.labels import LabelSet
from waqia.schema import Reading
from waqia.windows import Batch, Ints

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

LOOK_AHEAD = 64  # texts read together, so that windows of like length share a batch
LOOK_AHEAD_CHARACTERS = 200_000  # fewer where the texts are long


class OnnxBackend:
    """Runs an artefact's two graphs on the CPU."""

    def __init__(self, encode: InferenceSession, participants: InferenceSession) -> None:
        self._encode, self._participants = encode, participants

    @classmethod
    def open(cls, folder: Path, threads: int | None = None) -> OnnxBackend:
        """Open encode.onnx and participants.onnx; `threads` None leaves the number to ONNX Runtime. ArtefactError if it refuses them."""
        import onnxruntime  # takes a moment, and nothing but reading needs it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait must not spin: beside other busy processes that costs more than it brings.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        sessions = []
        for name in ("encode.onnx", "participants.onnx"):
            try:
                sessions.append(onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"]))
            except Exception as error:  # ONNX Runtime's own errors share no base of use
                raise ArtefactError(f"{folder / name}: ONNX Runtime cannot open it ({error}); export the artefact again") from error
        return cls(*sessions)

    def encode(self, batch: Batch) -> Encoded:
        """One pass of the encoder and its heads."""
        inputs = {name: getattr(batch, name) for name in Batch.__dataclass_fields__}
        return Encoded(*self._encode.run(list(Encoded.__dataclass_fields__), inputs))

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Roles, status and sectors of N triggers."""
        marked = {f"trigger_{name}": getattr(triggers, name) for name in Triggers._fields}
        inputs = {"word_states": word_states, "word_mask": word_mask, **marked}
        return Participants(*self._participants.run(list(Participants.__dataclass_fields__), inputs))


class Reader:
    """Reads Arabic news into incidents; make one with `Reader.load` and keep it. Picklable: a copy opens the artefact again."""

    def __init__(self, loaded: artefact.Artefact, threads: int | None) -> None:
        self._folder, self._threads = loaded.folder, threads
        backend = OnnxBackend.open(loaded.folder, threads)
        self._model = Model(loaded.model, backend, loaded.tokenizer, loaded.labels, loaded.windows, loaded.calibration)

    @classmethod
    def load(cls, path: str | Path | None = None, *, threads: int | None = None) -> Self:
        """Open an artefact, by default the one in the package; `threads` None takes what ONNX Runtime chooses.

        ArtefactError names what is missing, changed or of another version.
        """
        if threads is not None and threads < 1:
            raise ConfigError(f"threads is {threads}, expected at least 1, or None for ONNX Runtime's own choice")
        return cls(artefact.load(artefact.DEFAULT if path is None else path), threads)

    @property
    def labels(self) -> LabelSet:
        """The label set that the readings use."""
        return self._model.labels

    @property
    def model(self) -> str:
        """The name of the model that the readings carry."""
        return self._model.name

    def read(self, text: str) -> Reading:
        """Read one text, however long; offsets index `text` as given, in code points. What cannot be read gives `error`, no exception."""
        try:
            if not isinstance(text, str):
                raise TypeError(f"found {type(text).__name__}, expected str")
            return read_texts([text], self._model)[0]
        except Exception as error:  # one bad text must never stop a job that reads millions
            return self._failed(error)

    def read_many(self, texts: Iterable[str]) -> Iterator[Reading]:
        """Read a stream of texts, one Reading each in the same order, looking a bounded number of texts ahead."""
        group: list[str] = []
        stream = iter(texts)
        while True:
            try:
                text = next(stream)
            except StopIteration:
                yield from self._group(group)
                return
            except Exception:  # the stream broke, not its texts: read what it gave, then let its owner know
                yield from self._group(group)
                raise
            group.append(text)
            if len(group) >= LOOK_AHEAD or sum(len(text) for text in group if isinstance(text, str)) >= LOOK_AHEAD_CHARACTERS:
                yield from self._group(group)
                group = []

    def _group(self, texts: list[str]) -> list[Reading]:
        try:
            return read_texts(texts, self._model)
        except Exception:  # some text of the group is bad: read one by one to find out which
            return [self.read(text) for text in texts]

    def _failed(self, error: Exception) -> Reading:
        label_set = f"{self._model.labels.name}/{self._model.labels.version}"
        return Reading(label_set=label_set, model=self._model.name, error=f"{type(error).__name__}: {error}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _reload, (None if self._folder == artefact.DEFAULT else self._folder, self._threads)


def _reload(folder: Path | None, threads: int | None) -> Reader:
    return Reader.load(folder, threads=threads)
