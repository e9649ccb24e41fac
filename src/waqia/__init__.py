"""Waqia reads Arabic news and says what happened, who did it to whom, where and when."""

from typing import TYPE_CHECKING, Any

from waqia.errors import ArtefactError, ConfigError, LabelSetError, RecordError, WaqiaError
from waqia.frame import codes, to_frame
from waqia.labels import LabelSet
from waqia.records import read_records, write_records
from waqia.schema import Incident, Participant, Reading, Record, Span

if TYPE_CHECKING:
    from waqia.document.options import Facts
    from waqia.formats.html import show
    from waqia.reader import Reader

__all__ = [
    "ArtefactError",
    "ConfigError",
    "Facts",
    "Incident",
    "LabelSet",
    "LabelSetError",
    "Participant",
    "Reader",
    "Reading",
    "Record",
    "RecordError",
    "Span",
    "WaqiaError",
    "codes",
    "read_records",
    "show",
    "to_frame",
    "write_records",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`Reader`, `Facts` and `show`, when they are first asked for: numpy and the tokenizer take most of the time of an import."""
    if name == "Reader":
        from waqia.reader import Reader

        return Reader
    if name == "Facts":
        from waqia.document.options import Facts

        return Facts
    if name == "show":
        from waqia.formats.html import show

        return show
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All that there is to use, what has not been asked for yet too."""
    return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING"})
