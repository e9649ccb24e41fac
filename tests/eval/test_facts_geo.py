"""Places and belligerents against coded facts: hand-computed shares."""

from __future__ import annotations

from typing import Any

import pytest

from eval.facts.geo import Meant, belligerent_family, main_place, place_within
from waqia.document.actors import ActorTable
from waqia.document.gazetteer import Gazetteer
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Span

GAZETTEER = Gazetteer.packaged()
LABELS = LabelSet.load("configs/labels/incidents.yaml")
TABLE, MEANT = ActorTable.packaged(LABELS), Meant.of(LABELS)


def _reading(text: str, *roles: tuple[str, str], kind: str = "shelling") -> Reading:
    def participant(role: str, words: str) -> Participant:
        start = text.index(words)
        return Participant(start, start + len(words), words, role, "MIL" if role == "initiator" else None)

    return Reading((Incident(kind, "actual", Span(0, 3, text[:3]), tuple(participant(*role) for role in roles)),))


def _row(number: int, text: str, at: tuple[float, float] | None = None, belligerent: str | None = None) -> dict[str, Any]:
    latitude, longitude = at or (None, None)
    facts = {
        "incident": f"i{number}",
        "latitude": latitude,
        "longitude": longitude,
        "place": "x",
        "place_ar": None,
        "belligerent": belligerent,
        "date": "2020-01-01",
    }
    return {"id": str(number), "text": text, "date": "", "facts": facts}


def test_share_within_25_and_161_km_counts_unread_texts_as_misses() -> None:
    text = "قصف استهدف مدينة منبج"
    near, far, unread = _row(1, text, (36.53, 37.95)), _row(2, text, (36.2, 37.16)), _row(3, "قصف", (36.53, 37.95))
    readings = [_reading(text, ("place", "مدينة منبج")), _reading(text, ("place", "مدينة منبج")), Reading()]
    report = place_within([*readings, Reading()], [near, far, unread, _row(4, "قصف")], GAZETTEER, MEANT, resamples=50)
    assert {name: figure["value"] for name, figure in report["figures"].items()} == {
        "within_25_km": pytest.approx(1 / 3),
        "within_161_km": pytest.approx(2 / 3),
        "read": pytest.approx(2 / 3),
        "acc@1": 1.0,
        "from_reading": pytest.approx(1 / 3),
    }
    assert (report["texts"], report["incidents"]) == (3, 3)


def test_place_guessed_from_the_text_is_no_place_from_the_reading() -> None:
    report = place_within([Reading()], [_row(1, "سقطت قذيفة على مدينة منبج.", (36.53, 37.95))], GAZETTEER, MEANT, resamples=50)
    assert (report["figures"]["within_25_km"]["value"], report["figures"]["from_reading"]["value"]) == (1.0, 0.0)


def test_strike_goes_before_other_incidents_and_a_town_before_a_region() -> None:
    text = "اعتقال في تدمر ثم قصف على سرمين بريف إدلب"
    arrest = _reading(text, ("place", "تدمر"), kind="arrest").incidents
    strike = _reading(text, ("place", "سرمين بريف إدلب")).incidents
    place = main_place(text, Reading(arrest + strike), GAZETTEER, MEANT)
    assert place is not None
    assert place.entry.name == "Sarmin"


def test_belligerent_is_judged_by_side_and_by_family() -> None:
    text = "قصف نفذته قوات النظام"
    rows = [
        _row(1, text, belligerent="Russian Military"),
        _row(2, text, belligerent="Syrian Regime, Unknown"),
        _row(3, text, belligerent="Israeli Military"),
    ]
    readings = [_reading(text, ("initiator", "قوات النظام"))] * 3
    report = belligerent_family([*readings, Reading()], [*rows, _row(4, text, belligerent="Unknown")], TABLE, MEANT, resamples=50)
    figures = {name: figure["value"] for name, figure in report["figures"].items()}
    assert figures == {
        "family": pytest.approx(2 / 3),
        "family_or_named": pytest.approx(2 / 3),
        "side": pytest.approx(1 / 3),
        "linked": 1.0,
    }
    assert report["texts"] == 3


def test_actor_that_only_the_text_names_is_a_guess() -> None:
    row = _row(1, "مقتل مدني بقصف الجيش التركي", belligerent="Turkish Military")
    report = belligerent_family([Reading()], [row], TABLE, MEANT, resamples=50)
    assert (report["figures"]["family"]["value"], report["figures"]["family_or_named"]["value"]) == (0.0, 1.0)


def test_a_label_set_without_strikes_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"label set plover-gsr has none of the strikes .*airwars\.yaml"):
        Meant.of(LabelSet.load("configs/labels/plover-gsr.yaml"))


def test_what_airwars_codes_is_told_in_labels_of_the_label_set() -> None:
    assert MEANT.strikes | {"arrest"} == MEANT.violent
    assert MEANT.violent <= LABELS.incident_types.keys()
    assert (MEANT.doer, MEANT.unrealised, MEANT.armed) == ("initiator", "unrealised", {"MIL", "PRM", "REB"})
