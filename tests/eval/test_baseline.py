from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.baselines import crf, keywords, tfidf
from eval.baselines.systems import main, majority
from eval.score.scoring import score
from train.experiments import scratch
from waqia import ConfigError, LabelSet, Participant, Record, read_records, write_records
from waqia.records import parse_record
from waqia.schema import Incident, Span

TEXT = "هاجم مسلحون دورية للشرطة في تعز، وأصيب جندي."


@pytest.fixture(scope="module")
def records(root, labels):
    return {split: list(read_records(root / f"data/{split}.jsonl", labels)) for split in ("train", "dev")}


def figures(gold, rows, labels):
    predicted = [parse_record({**row, "text": record.text}, labels, "x") for row, record in zip(rows, gold, strict=True)]
    return score(gold, predicted, labels).figures()


def attack(n, fighters="مسلحون"):
    text = TEXT.replace("مسلحون", fighters)
    at = {part: Span(text.index(part), text.index(part) + len(part), part) for part in ("هاجم", fighters, "دورية للشرطة")}
    roles = [(at[fighters], "initiator", "UAF"), (at["دورية للشرطة"], "target", "COP")]
    actors = tuple(Participant(s.start, s.end, s.text, role, sector) for s, role, sector in roles)
    return Record(f"a{n}", text, (Incident("armed_attack", "actual", at["هاجم"], actors),))


def test_tfidf_learns_types_from_passages_and_predicts_every_record(records, labels):
    found = figures(records["dev"], tfidf.predict(records["train"][:200], records["dev"], labels), labels)
    assert found["types micro-F1"] > 0.2
    assert found["incidents F1"] == 0


def test_records_that_were_not_asked_teach_nothing(labels):
    def passages(word, type_answers, count=6):
        asked = tuple(type_answers)
        return [Record(f"{word}{n}", f"{word} في المدينة {n}", annotated=asked, extra={"answers": type_answers}) for n in range(count)]

    train = passages("قصف", {"shelling": "yes"}) + passages("طقس", {"shelling": "no"}) + passages("قصف", {"protest": "no"}, 40)
    (row,) = tfidf.predict(train, [Record("x", "قصف في المدينة")], labels)
    assert row["passage_types"] == ["shelling"]


def test_files_without_enough_of_any_type_are_refused(labels):
    with pytest.raises(ConfigError, match="no type with 5 passages"):
        tfidf.predict([Record(str(n), "طقس جميل") for n in range(6)], [Record("b", "طقس")], labels)


def test_the_majority_says_the_commonest_type_everywhere(labels):
    (row,) = majority([attack(1), Record("b", "طقس")], [Record("x", "طقس")], labels)
    assert row["passage_types"] == ["armed_attack"]
    assert row["types"]["armed_attack"] == 0.5


def test_majority_counts_answers_of_the_gold_standard(root):
    labels = LabelSet.load(root / "configs/labels/plover-gsr.yaml")
    train = [Record(str(n), "نص", annotated=("PROTEST",), extra={"answers": {"PROTEST": "yes"}}) for n in range(2)]
    assert majority(train, [Record("x", "نص")], labels)[0]["types"] == {"PROTEST": 1}


@pytest.mark.parametrize("spelling", ["وقصفت", "قَصَفَت", "بالقصف", "قصـــف", "وَبِقَصْفِهَا"])
def test_a_stem_speaks_under_clitics_diacritics_and_tatweel(labels, spelling):
    text = f"خبر: {spelling} المدينة"
    (row,) = keywords.predict([], [Record("x", text)], labels)
    assert [(i["type"], i["trigger"]["text"]) for i in row["incidents"]] == [("shelling", spelling)]


def test_a_stem_inside_another_word_is_silent(labels):
    assert keywords.predict([], [Record("x", "العاصفة تقترب، والمقصف مغلق")], labels)[0]["incidents"] == []


def test_of_overlapping_stems_the_longer_one_speaks(labels):
    (row,) = keywords.predict([], [Record("x", "وقع قصف جوي على المدينة")], labels)
    assert [i["type"] for i in row["incidents"]] == ["air_strike"]


def test_every_keyword_type_is_in_a_shipped_label_set(root, labels):
    import yaml

    known = set(labels.incident_types) | set(LabelSet.load(root / "configs/labels/plover-gsr.yaml").incident_types)
    assert set(yaml.safe_load((root / "eval/baselines/keywords.yaml").read_text("utf-8"))) == known


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.sampled_from("ab")), max_size=4))
def test_tags_of_spans_read_back_to_those_spans(marks):
    ws = crf.words(TEXT)
    wanted, taken = [], set()
    for first, more, name in marks:
        last = min(first + more, len(ws) - 1)
        if first < len(ws) and not taken & set(range(first, last + 1)):
            taken |= set(range(first, last + 1))
            wanted.append((Span(ws[first].start, ws[last].end, TEXT[ws[first].start : ws[last].end]), name))
    assert list(crf.spans(ws, crf.tags(ws, wanted), TEXT)) == sorted(wanted, key=lambda item: item[0].start)


def test_words_keep_their_diacritics_and_lose_their_punctuation():
    assert [w.text for w in crf.words("«هاجَمَ» مسلّحون، فجراً.")] == ["«", "هاجَمَ", "»", "مسلّحون", "،", "فجراً", "."]


def test_crf_learns_triggers_participants_and_sectors(labels):
    pytest.importorskip("pycrfsuite")
    train = [attack(n, fighters) for n, fighters in enumerate(["مسلحون", "مجهولون", "ملثمون"] * 4)]
    train += [Record(f"q{n}", "عقد المجلس اجتماعاً في العاصمة.") for n in range(4)]
    gold = [attack("x", "مسلحون"), Record("y", "عقد المجلس اجتماعاً في تعز.")]
    found = figures(gold, crf.predict(train, gold, labels), labels)
    assert found["trigger classification F1"] == found["actors exact F1"] == found["sectors accuracy"] == found["incident-free kept"] == 1


def test_crf_reads_an_empty_text(labels):
    pytest.importorskip("pycrfsuite")
    assert crf.predict([attack(n) for n in range(3)], [Record("x", "")], labels) == [{"id": "x", "incidents": []}]


def test_one_command_writes_and_scores_every_system(tmp_path, labels, capsys):
    pytest.importorskip("pycrfsuite")
    train = [attack(n) for n in range(8)] + [Record(f"q{n}", f"عقد المجلس اجتماعاً {n}") for n in range(8)]
    write_records(tmp_path / "train.jsonl", train)
    write_records(tmp_path / "gold.jsonl", [attack(1)])
    main([str(tmp_path / "gold.jsonl"), str(tmp_path / "out"), "--train", str(tmp_path / "train.jsonl")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"majority.jsonl", "keywords.jsonl", "tfidf.jsonl", "crf.jsonl"}
    assert capsys.readouterr().out.count("types micro-F1 1.000") == 4


def test_without_crfsuite_the_error_says_what_to_install(labels, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycrfsuite", None)
    with pytest.raises(ConfigError, match="pip install python-crfsuite"):
        crf.predict([attack(1)], [attack(2)], labels)


def test_the_model_without_pretraining_predicts_every_record(root, labels):
    train = list(read_records(root / "data/dev.jsonl", labels))
    rows = scratch.predict(train, [attack(1), Record("x", "")], labels, root / "configs/smoke/finetune.yaml")
    assert [row["id"] for row in rows] == ["a1", "x"]
    assert set(rows[0]["types"]) == set(labels.incident_types)
