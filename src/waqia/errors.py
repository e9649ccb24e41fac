"""What can go wrong, one class a cause; every message says where, what was found, what was expected, what to do next.

`exit_code` is what a command ends with: 1 failure, 2 usage or configuration, 3 bad data, 4 artefact missing or damaged,
5 quality gate not met.
"""


class WaqiaError(ValueError):
    """Any error that Waqia raises on purpose."""

    exit_code = 1


class RecordError(WaqiaError):
    """A row, span or label that does not hold up."""

    exit_code = 3


class LabelSetError(WaqiaError):
    """A label set file that is missing, malformed or contradicts itself."""

    exit_code = 2


class ArtefactError(WaqiaError):
    """An artefact folder with a missing, changed or extra file, or of another format version."""

    exit_code = 4


class ConfigError(WaqiaError):
    """A run's configuration that is missing, misspelt or impossible."""

    exit_code = 2


class GateError(WaqiaError):
    """A model that loses more quality than its gate allows."""

    exit_code = 5
