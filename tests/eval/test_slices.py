from __future__ import annotations

import json

import pytest

from eval.analysis.slices import band, has_clitic, main, slices, words_between
from eval.score.scoring import score
from tests.conftest import span
from waqia import Incident, Participant, Record, Span, write_records

TEXT = "قُتل جنديان في تعز، وقوات الجيش تلاحق مسلحين. ثم وصلت قوات أخرى."


def passage(name, *participants, found=True, **extra):
    incidents = (Incident("armed_attack", "actual", Span(**span(TEXT, "قُتل")), participants),) if found else ()
    return Record(name, TEXT, incidents, extra=extra)


def actor(role, text, sector="MIL"):
    return Participant(**span(TEXT, text), role=role, sector=sector)


def sliced(gold, predicted, labels, train=()):
    return slices(score(gold, predicted, labels), list(zip(gold, predicted, strict=True)), train)


def test_passages_are_sliced_by_outlet_year_length_and_incidents(labels):
    gold = [passage("a", source="سانا", date="2015-01-02"), passage("b", source="رويترز"), passage("c", source="رويترز", found=False)]
    result = sliced(gold, [gold[0], passage("b", found=False), gold[2]], labels)
    assert {part: figures["incidents F1"]["value"] for part, figures in result["outlet"].items()} == {"سانا": 1, "رويترز": 0}
    assert set(result["year"]) == {"2015", "unknown"}
    assert {part: figures["incidents F1"]["gold"] for part, figures in result["incidents"].items()} == {"0": 0, "1": 2}
    assert result["characters"]["0-199"]["types F1"]["gold"] == 2


def test_slices_of_passages_add_up_to_the_whole(labels):
    gold = [passage(str(n), actor("target", "جنديان"), source=f"s{n % 3}") for n in range(6)]
    result = sliced(gold, gold, labels)
    assert sum(figures["actors F1"]["gold"] for figures in result["outlet"].values()) == 6


def test_types_are_sliced_by_how_often_training_showed_them(labels):
    gold = [passage("a")]
    result = sliced(gold, gold, labels, train=[passage(str(n)) for n in range(12)])
    assert result["type in training"]["10-49"]["incidents F1"] == {"value": 1, "interval": (1, 1), "gold": 1}
    assert result["type in training"]["0"]["incidents F1"]["value"] is None


def test_a_hidden_agent_that_is_made_up_is_counted(labels):
    gold = [passage("a", actor("target", "جنديان")), passage("b", actor("target", "جنديان"))]
    said = [gold[0], passage("b", actor("initiator", "مسلحين", "UAF"))]
    hidden = sliced(gold, said, labels)["initiator"]["hidden"]
    assert (hidden["incidents recall"]["value"], hidden["left without"]["value"]) == (1, 0.5)


def test_actors_are_sliced_by_sector_distance_and_clitic(labels):
    gold = [passage("a", actor("target", "جنديان"), actor("initiator", "وقوات الجيش", "PRM"))]
    result = sliced(gold, [passage("a", actor("target", "جنديان"))], labels)
    assert {part: figures["actors recall"]["value"] for part, figures in result["sector"].items()} == {"MIL": 1, "PRM": 0}
    assert set(result["words from trigger"]) == {"0-2", "3-5"}
    assert set(result["clitic"]) == {"attached", "none"}


def test_a_clitic_needs_a_word_that_stands_alone_elsewhere():
    assert has_clitic("وقوات الجيش", {"قوات"})
    assert not has_clitic("وزير الداخلية", {"قوات"})
    assert not has_clitic("«»", {"قوات"})


@pytest.mark.parametrize(("number", "expected"), [(0, "0"), (1, "1-9"), (9, "1-9"), (10, "10-49"), (50, "50+")])
def test_a_number_falls_into_its_range(number, expected):
    assert band(number, (0, 9, 49)) == expected


def test_words_between_spans_are_counted_from_either_side():
    first, second = Span(**span(TEXT, "قُتل")), Span(**span(TEXT, "تعز"))
    assert words_between(TEXT, first, second) == words_between(TEXT, second, first) == 2
    assert words_between(TEXT, first, first) == 0


def test_the_command_prints_and_writes(tmp_path, capsys):
    write_records(tmp_path / "gold.jsonl", [passage("a", actor("target", "جنديان"))])
    path = str(tmp_path / "gold.jsonl")
    main([path, path, "--train", path, "--out", str(tmp_path / "s.json")])
    assert "words from trigger" in capsys.readouterr().out
    assert json.loads((tmp_path / "s.json").read_text("utf-8"))["initiator"]["hidden"]["incidents recall"]["value"] == 1
