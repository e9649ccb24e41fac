"""How likely two incidents of different texts are one event: log-odds of a logistic regression over named clues, each with its share.

The weights were fitted on pairs of texts that people said to tell of the same incident, and of others (`python -m eval.link.fit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import log, sqrt

from waqia.bulk.clues import Clue, ordinal
from waqia.document.places import distance_km

RARE = 4.5  # nats (a word of one text in ninety): without a common place, a pair must share a word at least as rare
CROWD = 10  # incidents within a day of each other, beyond which their number counts against a pair (about that of the fitted texts)
APART = 14  # days between two texts beyond which they are not compared, unless they tell of the same days


@dataclass(frozen=True, slots=True)
class Weights:
    """The share of each clue in the log-odds that a pair is one event, and from which score an incident joins an event.

    `rarest`, `three`, `eight` weigh the rarity (nats) of the rarest shared word and of the three and eight rarest together; `alike` the
    root of the cosine of both texts' words; `length` the log of the product of their numbers of words. The others are 0 or 1.
    """

    base: float = -3.31
    rarest: float = 0.38
    three: float = 0.44
    eight: float = -0.01
    alike: float = 1.13
    length: float = -0.88
    published_1: float = 1.0  # days between the texts: at most one; fitted 2.89, but an archive has more texts a day than the fitted ones
    published_3: float = 0.21
    published_7: float = -0.55
    published_far: float = -0.31
    same_day: float = 1.14  # of the incidents, else of the texts
    other_day: float = -0.27  # more than one day apart
    same_date_named: float = 0.64  # «28 شباط», without a year
    other_date_named: float = -1.28
    same_weekday: float = 1.36
    other_weekday: float = -2.12
    same_place: float = 2.23  # the same words, or within a kilometre
    near_place: float = 0.59  # within 25 km
    far_place: float = -1.43  # beyond 100 km
    same_type: float = 0.35
    same_actor: float = -0.79
    other_actors: float = -1.08
    same_killed: float = 0.93
    other_killed: float = 0.07
    same_injured: float = 0.22
    other_injured: float = -0.92
    crowd: float = -1.0  # of log(incidents within a day / CROWD); set, not fitted: of n candidates one is right
    threshold: float = -2.0


TEXT = ("rarest", "three", "eight", "alike", "length")  # clues that the words give together


@dataclass(frozen=True, slots=True)
class Bag:
    """The words of one incident with their rarity when it was compared first, in nats."""

    rarity: Mapping[str, float]
    square: float  # sum of the squares

    @classmethod
    def of(cls, rarity: Mapping[str, float]) -> Bag:
        """The bag of words with these rarities."""
        return cls(rarity, sum(value * value for value in rarity.values()))


def features(a: Clue, bag: Bag, b: Clue, square: float, crowd: int = 0) -> tuple[dict[str, float], list[str]]:
    """The clues of a pair by the names of `Weights`, and the three rarest shared words; empty where they cannot be one event.

    `bag` holds the words of `a`, `square` is what the bag of `b` had, `crowd` how many incidents are within a day of `a`. Never one are
    two families of types, texts more than APART days apart that tell of no common day, and those that share neither a place (within
    25 km) nor a word of RARE: a day alone proves nothing.
    """
    if a.family and b.family and a.family != b.family:
        return {}, []
    gap = None if a.published is None or b.published is None else abs(ordinal(a.published) - ordinal(b.published))
    days = _gap(a, b)
    if gap is not None and gap > APART and days != 0:
        return {}, []
    shared = sorted(((bag.rarity[word], word) for word in b.words if word in bag.rarity), reverse=True)
    values, happening = [value for value, _ in shared], _happening(a, b)
    if (not values or values[0] < RARE) and not happening.keys() & {"same_place", "near_place"}:
        return {}, []
    found = {"base": 1.0}
    if values:
        found |= {"rarest": values[0], "three": sum(values[:3]), "eight": sum(values[:8])}
        found["alike"] = min(1.0, sqrt(sum(value * value for value in values) / sqrt(bag.square * square)))
    found["length"] = log(len(a.words) + 1) + log(len(b.words) + 1)
    if gap is not None:
        found["published_" + ("1" if gap <= 1 else "3" if gap <= 3 else "7" if gap <= 7 else "far")] = 1.0
    if days is not None and days != 1:
        found["same_day" if days == 0 else "other_day"] = 1.0
    if crowd > CROWD and ((gap is not None and gap <= 1) or days == 0):
        found["crowd"] = log(crowd / CROWD)
    found |= _named(a.days, b.days, "date_named") | _named(a.weekdays, b.weekdays, "weekday")
    return found | happening, [word for _, word in shared[:3]]


def weigh(found: Mapping[str, float], words: Sequence[str], weights: Weights) -> dict[str, float]:
    """The share of each clue in the score, by its name; what the words give stands together, with the rarest of them."""
    shares = {name: value * getattr(weights, name) for name, value in found.items()}
    text = "words " + "، ".join(f"«{word}»" for word in words) if words else "no word in common"
    plain = {text: sum(shares.pop(name, 0.0) for name in TEXT), **{name.replace("_", " "): value for name, value in shares.items()}}
    return {name: round(value, 3) for name, value in plain.items()}


def score(found: Mapping[str, float], weights: Weights) -> float:
    """The log-odds of a pair."""
    return sum((value * float(getattr(weights, name)) for name, value in found.items()), 0.0)


def _happening(a: Clue, b: Clue) -> dict[str, float]:
    found = {"same_type": 1.0} if a.type is not None and a.type == b.type else {}
    found |= _where(a, b)
    if a.actors and b.actors:
        found["same_actor" if set(a.actors) & set(b.actors) else "other_actors"] = 1.0
    for kind, x, y in (("killed", a.killed, b.killed), ("injured", a.injured, b.injured)):
        if x is not None and y is not None:
            found[("same_" if x == y else "other_") + kind] = 1.0
    return found


def _where(a: Clue, b: Clue) -> dict[str, float]:
    if a.said is not None and a.said == b.said:
        return {"same_place": 1.0}
    if a.at is None or b.at is None:
        return {}
    apart = distance_km(a.at, b.at)
    return {"same_place": 1.0} if apart < 1 else {"near_place": 1.0} if apart <= 25 else {"far_place": 1.0} if apart > 100 else {}


def _named(a: Sequence[object], b: Sequence[object], name: str) -> dict[str, float]:
    return {} if not (a and b) else {("same_" if set(a) & set(b) else "other_") + name: 1.0}


def _gap(a: Clue, b: Clue) -> int | None:
    one, other = a.span, b.span
    return None if one is None or other is None else max(0, one[0] - other[1], other[0] - one[1])


NAMES = tuple(field.name for field in fields(Weights) if field.name not in ("crowd", "threshold"))
