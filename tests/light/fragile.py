"""A reader whose process does not survive one text; for processes that test_workers.py starts, without what else that imports."""

from __future__ import annotations

import os

from waqia import Reader

DEADLY = "نص يقتل من يقرؤه"


class Fragile(Reader):
    """See above."""

    def read_many(self, items):
        items = list(items)
        if any(text == DEADLY for text, _ in items):
            os._exit(7)
        return super().read_many(items)


def load_fragile():
    return Fragile.load(threads=1)
