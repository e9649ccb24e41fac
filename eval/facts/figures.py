"""What the measurements of facts share: the share of right answers with bootstrap intervals, and kinds of error counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from eval.score.counts import Counts, Tally, add
from eval.score.intervals import bootstrap


def hit(right: bool) -> Counts:
    """One answer that was asked for, right or wrong."""
    return Counts(int(right), 1, 1)


def summary(tallies: Sequence[Tally], documents: Sequence[Hashable], errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures {name: value, interval, of}, the kinds of error with their counts, most frequent first, and the errors themselves.

    tallies and documents run in parallel; a figure is hits over what was asked.
    """
    total = add(tallies)
    intervals = bootstrap(tallies, documents, lambda tally: {name: counts.recall for name, counts in tally.items()}) if tallies else {}
    figures = {name: {"value": total[name].recall, "interval": intervals[name], "of": total[name].gold} for name in sorted(total)}
    kinds = Counter(error["kind"] for error in errors)
    return {"figures": figures, "error_kinds": dict(kinds.most_common()), "errors": list(errors)}
