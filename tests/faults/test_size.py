"""Texts far beyond what anybody would send."""

from __future__ import annotations

import pytest

from tests.faults.fuzz import table_artefact
from tests.light.test_reader import QUIET, proved
from waqia import Reader
from waqia.model.windows import WindowSettings

SEED = 0  # of a table in which words of the article begin an incident, and none of QUIET


@pytest.mark.slow
def test_a_text_of_a_megabyte_is_read_whole(root, tmp_path, labels):
    """With the model of tables: every step but the encoder. The shipped one reads a long text in tests/light/test_reader.py."""
    article = (root / "samples/article.txt").read_text("utf-8")
    quiet = QUIET * (300_000 // len(QUIET))
    text = "\n".join([article, quiet, article, quiet, article])
    assert len(text.encode()) > 1_000_000
    reading = Reader.load(table_artefact(tmp_path / "table", SEED, WindowSettings(256, 64)), threads=1).read(text)
    assert (reading.error, reading.truncated) == (None, False)
    assert reading.windows > 100
    assert {incident.trigger.start * 3 // len(text) for incident in reading.incidents} == {0, 1, 2}
    assert reading.incidents[-1].trigger.start > len(text) - len(article)
    assert proved(text, reading, labels).incidents == reading.incidents
