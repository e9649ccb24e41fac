"""Coreference of mentions: which words name the same happening, scored by the published measures, counts first.

A text's key (gold) and response (predicted) are lists of clusters of (start, end) spans, compared by offsets, singletons kept:

- MUC (Vilain et al. 1995): links; blind to singletons. B3 (Bagga and Baldwin 1998): the overlap of the clusters of each mention.
- CEAFe (Luo 2005): clusters one to one by 2|K∩R| / (|K| + |R|), predicted singletons included. CoNLL F1 is the mean of the three.
- LEA (Moosavi and Strube 2016): the links of each cluster, weighed by its size; a singleton has a link to itself.
- pairs: two mentions in one cluster, on both sides.

Numerators and denominators are added over texts and divided last (as in the reference scorer, Pradhan et al. 2014), as exact fractions; a
text without incidents adds nothing of its own, and what is predicted there costs precision. A mention that names two happenings stands in
two clusters: of several clusters that answer it the best counts. None where gold has no clusters, or no links for MUC and pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np

from eval.score.counts import Counts, Tally
from waqia.schema import Incident

Mention = tuple[int, int]  # offsets of a span
Cluster = frozenset[Mention]
Clusters = Sequence[Cluster]
Part = tuple[Fraction, int]  # numerator and denominator


def clusters(incidents: Iterable[Incident]) -> list[Cluster]:
    """The mentions of each incident, by their offsets."""
    return [frozenset((span.start, span.end) for span in incident.all_mentions) for incident in incidents]


def compare_clusters(key: Clusters, response: Clusters) -> dict[str, Counts]:
    """What one text adds: recall and precision of each measure as counts, and pairs."""
    result: dict[str, Counts] = {}
    measures: dict[str, Callable[[Clusters, Clusters], Part]] = {"muc": muc, "b3": b_cubed, "ceafe": ceaf_e, "lea": lea}
    for name, measure in measures.items():
        result[f"merging/{name}/recall"] = Counts(*measure(key, response))
        result[f"merging/{name}/precision"] = Counts(*measure(response, key))
    a, b = _pairs(key), _pairs(response)
    return result | {"merging/pairs": Counts(len(a & b), len(a), len(b))}


def muc(key: Clusters, response: Clusters) -> Part:
    """Links of the key that the response has, of all that hold its clusters together: |K| less the parts into which the response cuts K."""
    return Fraction(sum(len(cluster) - _parts(cluster, response) for cluster in key)), sum(len(cluster) - 1 for cluster in key)


def _parts(cluster: Cluster, others: Clusters) -> int:
    parts = [{mention} for mention in cluster]
    for other in others:
        touched = [part for part in parts if part & other]
        if touched:
            parts = [part for part in parts if not part & other] + [set().union(*touched)]
    return len(parts)


def b_cubed(key: Clusters, response: Clusters) -> Part:
    """For each mention of the key, the share of its cluster that its cluster of the response holds."""
    shares = (max((len(k & r) for r in response if mention in r), default=0) * Fraction(1, len(k)) for k in key for mention in k)
    return sum(shares, Fraction()), sum(map(len, key))


def ceaf_e(key: Clusters, response: Clusters) -> Part:
    """The likeness of clusters matched one to one, of the number of clusters of the key."""
    if not key or not response:
        return Fraction(), len(key)
    alike = [[Fraction(2 * len(k & r), len(k) + len(r)) for r in response] for k in key]
    from scipy.optimize import linear_sum_assignment  # takes a moment to import

    rows, columns = linear_sum_assignment(np.array(alike, float), maximize=True)
    return sum((alike[a][b] for a, b in zip(rows, columns, strict=True)), Fraction()), len(key)


def lea(key: Clusters, response: Clusters) -> Part:
    """The share of each cluster's links that the response has, weighed by the cluster's size."""
    found = set().union(*map(_links, response))
    shares = (len(cluster) * Fraction(len(links & found), len(links)) for cluster in key for links in (_links(cluster),))
    return sum(shares, Fraction()), sum(map(len, key))


def merging_figures(total: Tally) -> dict[str, float | None]:
    """LEA, CoNLL F1 and its three parts, and pair precision, recall and F1 of a tally."""

    def read(name: str) -> Counts:
        return total.get(f"merging/{name}", Counts())

    parts = {name: f1(read(f"{name}/recall"), read(f"{name}/precision")) for name in ("lea", "muc", "b3", "ceafe")}
    known = [value for name, value in parts.items() if name != "lea" and value is not None]
    pairs = read("pairs") if read("pairs").gold else Counts()
    return {
        "merging LEA": parts["lea"],
        "merging CoNLL F1": sum(known) / 3 if len(known) == 3 else None,
        "merging MUC": parts["muc"],
        "merging B3": parts["b3"],
        "merging CEAFe": parts["ceafe"],
        "merging pair precision": pairs.precision,
        "merging pair recall": pairs.recall,
        "merging pair F1": pairs.f1,
    }


def f1(recall: Counts, precision: Counts) -> float | None:
    """Harmonic mean of two shares with numerators of their own; None where gold has nothing, 0 where nothing was predicted."""
    if not recall.gold:
        return None
    r, p = recall.recall or 0.0, precision.recall or 0.0
    return 2 * p * r / (p + r) if p + r else 0.0


def nothing_merged(incidents: Sequence[Incident]) -> list[Cluster]:
    """The baseline in which every gold mention is a happening of its own."""
    return [frozenset({mention}) for mention in sorted(set().union(*clusters(incidents)))]


def types_merged(incidents: Sequence[Incident]) -> list[Cluster]:
    """The baseline in which all gold mentions of one type are one happening."""
    kinds = dict.fromkeys(incident.type for incident in incidents)
    return [frozenset().union(*clusters(i for i in incidents if i.type == kind)) for kind in kinds]


def partition(incidents: Sequence[Incident], predicted: Sequence[Incident]) -> list[Cluster]:
    """How predictions partition the gold mentions: each goes to the predicted incident that overlaps it most, or is left alone."""
    found: dict[int, set[Mention]] = {}
    for n, mention in enumerate(sorted(set().union(*clusters(incidents)))):
        shared = [max(min(end, mention[1]) - max(start, mention[0]) for start, end in cluster) for cluster in clusters(predicted)]
        best = max(range(len(shared)), key=shared.__getitem__, default=-1)
        found.setdefault(best if best >= 0 and shared[best] > 0 else -1 - n, set()).add(mention)
    return [frozenset(mentions) for mentions in found.values()]


def _links(cluster: Cluster) -> set[tuple[Mention, Mention]]:
    ordered = sorted(cluster)
    return set(combinations(ordered, 2)) if len(ordered) > 1 else {(mention, mention) for mention in ordered}


def _pairs(side: Clusters) -> set[tuple[Mention, Mention]]:
    return {pair for cluster in side for pair in combinations(sorted(cluster), 2)}
