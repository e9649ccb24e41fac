"""Waqia reads Arabic news and says what happened, who did it to whom, where and when."""

from waqia.errors import ArtefactError, ConfigError, LabelSetError, RecordError, WaqiaError
from waqia.labels import LabelSet
from waqia.reader import Reader
from waqia.schema import Incident, Participant, Reading, Record, Span, read_records, write_records

__all__ = [
    "ArtefactError",
    "ConfigError",
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
    "read_records",
    "write_records",
]
__version__ = "0.1.0"
