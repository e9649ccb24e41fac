"""Gathering: what all mentions of an incident say of its participants, each participant told once with its further mentions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from waqia.model.calibration import Calibration
from waqia.model.merge import stem
from waqia.schema import Participant, Span


def told_once(found: Iterable[Participant], actors: Collection[str], calibration: Calibration) -> list[Participant]:
    """Participants of one incident without doubles, the most probable one of each role first.

    What a role names side by side («مدني وطفل», see `side_by_side` of the calibration) are several participants. What a role among
    `actors` names elsewhere is mostly the same again in other words («قوات النظام … الجيش»), so it becomes further mentions of those named
    with the most certainty; of other roles (sources, places, counts) only what shares a word does. What is at least as probable as
    `apart_threshold` stays a participant unless it reads the same. Spans that overlap are dropped.
    """
    by_role: dict[str, list[Participant]] = {}
    for one in found:
        by_role.setdefault(one.role, []).append(one)
    return [one for role, mine in by_role.items() for one in _role_once(mine, role in actors, calibration)]


def _role_once(found: Sequence[Participant], actor: bool, calibration: Calibration) -> list[Participant]:
    groups = _side_by_side(found, calibration.side_by_side)
    first, *others = sorted((sorted(group, key=_certain) for group in groups), key=lambda group: _certain(group[0]))
    kept: list[Participant] = []
    for one in first:
        same = next((place for place, other in enumerate(kept) if other.text == one.text), None)
        if same is not None:
            _tell_again(kept, same, one)
        elif not _taken(one, kept):
            kept.append(one)
    for one in (one for group in others for one in group):
        again = _most_like(one, kept)
        doubtful = (one.score or 0.0) < calibration.apart_threshold
        if (doubtful and (actor or _share_a_word(one, kept[again]))) or _reads_the_same(one, kept[again]):
            _tell_again(kept, again, one)
        elif not _taken(one, kept):
            kept.append(one)
    return kept


def _side_by_side(found: Sequence[Participant], farthest: int) -> list[list[Participant]]:
    """The participants of a role in groups that are named together."""
    groups: list[list[Participant]] = []
    for one in sorted(found, key=lambda p: (p.start, p.end)):
        if groups and one.start - max(other.end for other in groups[-1]) <= farthest:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _most_like(one: Participant, kept: Sequence[Participant]) -> int:
    """The place of the one that reads the same, else shares a word's stem, else is of the same sector, else of the most probable one."""
    likeness = [(_reads_the_same(one, p), _share_a_word(one, p), p.sector == one.sector, -place) for place, p in enumerate(kept)]
    return -max(likeness)[3]


def _share_a_word(one: Participant, other: Participant) -> bool:
    words = _stems(one)
    return any(words & _stems(span) for span in (other, *other.mentions))


def _reads_the_same(one: Participant, other: Participant) -> bool:
    return any(one.text == span.text for span in (other, *other.mentions))


def _tell_again(kept: list[Participant], place: int, one: Participant) -> None:
    if not _taken(one, kept):
        kept[place] = replace(kept[place], mentions=(*kept[place].mentions, Span(one.start, one.end, one.text)))


def _stems(span: Span) -> set[str]:
    return {stem(word) for word in span.text.split()}


def _certain(one: Participant) -> tuple[float, int]:
    return -(one.score or 0.0), one.start


def _taken(one: Participant, kept: Sequence[Participant]) -> bool:
    """Whether it overlaps a span that is told already."""
    return any(span.start < one.end and one.start < span.end for other in kept for span in (other, *other.mentions))
