from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2
from sklearn.metrics import f1_score as sklearn_f1

from eval.score.counts import Counts, add
from eval.score.files import read_gold, read_predictions
from eval.score.intervals import bootstrap
from eval.score.match import match
from eval.score.scoring import headline, score, tally
from tests.conftest import ROOT
from waqia import Incident, LabelSet, Participant, Record, RecordError, Span, write_records

LABELS = LabelSet.load(ROOT / "configs/labels/incidents.yaml")
TEXT = "هاجم مسلحون دورية ثم قصف الجيش بلدة وقتل ثلاثة مدنيين في الريف"
WORDS = [(TEXT.index(word), TEXT.index(word) + len(word)) for word in TEXT.split()]


def span(first, last=None):
    start, end = WORDS[first][0], WORDS[last if last is not None else first][1]
    return start, end, TEXT[start:end]


def incident(type_, trigger, *participants, status="actual", last=None):
    return Incident(type_, status, Span(*span(trigger, last)), tuple(participants))


def actor(role, first, last=None, sector="UAF"):
    return Participant(*span(first, last), role, sector if role in ("initiator", "target", "reporter") else None)


@st.composite
def records(draw, id_="x"):
    kinds = st.sampled_from(["armed_attack", "shelling", "arrest"])
    triggers = draw(st.lists(st.integers(0, len(WORDS) - 1), unique=True, max_size=4))
    incidents = []
    for trigger in triggers:
        roles = st.sampled_from(["initiator", "target", "place"])
        spans = draw(st.lists(st.tuples(roles, st.integers(0, 9), st.integers(0, 2)), max_size=3))
        found = {(role, a): actor(role, a, min(a + n, len(WORDS) - 1)) for role, a, n in spans}
        status = draw(st.sampled_from(["actual", "alleged"]))
        incidents.append(incident(draw(kinds), trigger, *found.values(), status=status))
    return Record(id_, TEXT, tuple(incidents))


@settings(max_examples=60, deadline=None)
@given(records())
def test_a_record_against_itself_is_perfect(record):
    figures = headline(tally(record, record, LABELS), LABELS)
    assert figures.pop("incident count error") == 0
    assert set(figures.values()) <= {1.0, None}


@settings(max_examples=60, deadline=None)
@given(records(), records())
def test_a_spurious_incident_never_raises_precision(gold, predicted):
    free = [n for n in range(len(WORDS)) if all(i.trigger.start != WORDS[n][0] for i in (*gold.incidents, *predicted.incidents))]
    more = Record("x", TEXT, (*predicted.incidents, incident("torture", free[0])))
    before, after = tally(gold, predicted, LABELS), tally(gold, more, LABELS)
    for name in ("incidents", "triggers/classified"):
        assert before[name].precision is None or after[name].precision <= before[name].precision


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(records(), records()), min_size=2, max_size=5), st.randoms())
def test_shuffling_and_splitting_files_changes_nothing(pairs, chance):
    whole = add(tally(a, b, LABELS) for a, b in pairs)
    halves = add([add(tally(a, b, LABELS) for a, b in pairs[:1]), add(tally(a, b, LABELS) for a, b in pairs[1:])])
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    assert whole == halves == add(tally(a, b, LABELS) for a, b in shuffled)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(records(), records()), min_size=1, max_size=4))
def test_passage_types_agree_with_scikit_learn(pairs):
    kinds = ["armed_attack", "shelling", "arrest"]

    def table(side):
        return [[int(any(i.type == kind for i in record.incidents)) for kind in kinds] for record in side]

    truth, said = map(table, zip(*pairs, strict=True))
    if any(map(any, truth)) or any(map(any, said)):
        ours = headline(add(tally(a, b, LABELS) for a, b in pairs), LABELS)["types micro-F1"]
        assert ours == pytest.approx(sklearn_f1(truth, said, average="micro", zero_division=0))


LONG = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["armed_attack", "shelling", None])), max_size=6)  # None: no trigger there


def triggers_and_tags(stretches):
    """Stretches of words, one after the other, as a record of triggers and as the tags of its words."""
    incidents, tags = [], []
    for size, kind in stretches:
        first = len(tags)
        if kind and first + size <= len(WORDS):
            incidents.append(incident(kind, first, last=first + size - 1))
            tags += [f"B-{kind}"] + [f"I-{kind}"] * (size - 1)
        else:
            tags += ["O"] * size
    return Record("x", TEXT, tuple(incidents)), [(tags + ["O"] * len(WORDS))[: len(WORDS)]]


@settings(max_examples=60, deadline=None)
@given(LONG, LONG)
def test_classified_triggers_agree_with_seqeval_strict(gold, predicted):
    (ours, truth), (theirs, said) = map(triggers_and_tags, (gold, predicted))
    if ours.incidents or theirs.incidents:
        figure = headline(tally(ours, theirs, LABELS), LABELS)["trigger classification F1"]
        assert figure == pytest.approx(seqeval_f1(truth, said, mode="strict", scheme=IOB2, zero_division=0))


def test_nothing_to_score_is_none():
    empty = Record("x", TEXT)
    figures = headline(tally(empty, empty, LABELS), LABELS)
    assert figures["incidents F1"] is None
    assert figures["incident-free kept"] == 1


def test_an_incident_needs_the_same_type_and_an_overlapping_trigger():
    gold = Record("x", TEXT, (incident("shelling", 4),))
    assert tally(gold, Record("x", TEXT, (incident("air_strike", 4),)), LABELS)["incidents"] == Counts(0, 1, 1)
    wider = Record("x", TEXT, (Incident("shelling", "actual", Span(*span(4, 5))),))
    assert tally(gold, wider, LABELS)["incidents"] == Counts(1, 1, 1)
    assert tally(gold, wider, LABELS)["triggers/classified"] == Counts(0, 1, 1)


def test_matching_finds_the_most_pairs_not_the_first():
    likeness = {("a", "x"): 0.9, ("a", "y"): 0.8, ("b", "x"): 0.1}
    assert match(["a", "b"], ["x", "y"], lambda a, b: likeness.get((a, b), 0)) == [("a", "y"), ("b", "x")]


def test_half_of_the_longer_span_is_enough_and_less_is_not():
    gold = Record("x", TEXT, (incident("shelling", 4, actor("target", 8, 9)),))
    half = Record("x", TEXT, (incident("shelling", 4, actor("target", 9)),))
    counts = tally(gold, half, LABELS)
    assert counts["participants/target/half"] == Counts(1, 1, 1)
    assert counts["participants/target/exact"] == Counts(0, 1, 1)
    far = Record("x", TEXT, (incident("shelling", 4, actor("target", 6, 11)),))
    assert tally(gold, far, LABELS)["participants/target/half"].hits == 0


def test_an_actor_of_an_incident_of_another_type_does_not_match():
    gold = Record("x", TEXT, (incident("shelling", 4, actor("initiator", 5)),))
    other = Record("x", TEXT, (incident("air_strike", 4, actor("initiator", 5)),))
    assert tally(gold, other, LABELS)["participants/initiator/half"] == Counts(0, 1, 1)


def test_a_role_mistaken_is_identified_but_not_classified():
    gold = Record("x", TEXT, (incident("shelling", 4, actor("initiator", 5)),))
    other = Record("x", TEXT, (incident("shelling", 4, actor("target", 5)),))
    counts = tally(gold, other, LABELS)
    assert counts["arguments/identified"] == Counts(1, 1, 1)
    assert counts["arguments/classified"] == Counts(0, 1, 1)


def test_sectors_and_statuses_are_judged_on_what_matches():
    gold = Record("x", TEXT, (incident("shelling", 4, actor("initiator", 5, sector="MIL"), status="alleged"),))
    other = Record("x", TEXT, (incident("shelling", 4, actor("initiator", 5, sector="REB")),))
    counts = tally(gold, other, LABELS)
    assert (counts["sectors"], counts["statuses"]) == (Counts(0, 1), Counts(0, 1))


def test_types_that_were_not_asked_are_left_out_on_both_sides():
    gold = Record("x", TEXT, (), annotated=("shelling",))
    predicted = Record("x", TEXT, (incident("armed_attack", 0),))
    counts = tally(gold, predicted, LABELS)
    assert counts["incidents"] == Counts(0, 0, 0)
    assert counts["incident-free kept"] == Counts(1, 1)


def test_a_type_only_answered_for_the_passage_is_scored_as_a_type_alone():
    gold = Record("x", TEXT, (), extra={"answers": {"shelling": "yes"}})
    counts = tally(gold, Record("x", TEXT, (incident("shelling", 4),)), LABELS)
    assert counts["types/shelling"] == Counts(1, 1, 1)
    assert counts["incidents"] == Counts(0, 0, 0)
    assert "incident-free kept" not in counts


def test_average_precision_reads_the_probabilities_of_types():
    gold = [Record("a", TEXT, (incident("shelling", 4),)), Record("b", TEXT), Record("c", TEXT)]
    said = [Record(i, TEXT, extra={"types": {"shelling": p}}) for i, p in (("a", 0.6), ("b", 0.9), ("c", 0.1))]
    assert score(gold, said, LABELS).average_precision["shelling"] == pytest.approx(0.5)
    assert score(gold, said, LABELS).average_precision["arrest"] is None


def test_a_prediction_with_an_error_is_at_0_in_average_precision():
    gold = [Record("a", TEXT, (incident("shelling", 4),)), Record("b", TEXT)]
    said = [Record("a", TEXT, extra={"types": {"shelling": 0.9}, "error": "boom"}), Record("b", TEXT, extra={"types": {"shelling": 0.1}})]
    assert score(gold, said, LABELS).average_precision["shelling"] == pytest.approx(0.5)


def test_types_said_of_an_incident_free_passage_break_its_silence():
    said = Record("b", TEXT, extra={"passage_types": ["shelling"]})
    assert tally(GOLD[1], said, LABELS)["incident-free kept"] == Counts(0, 1)
    assert tally(GOLD[1], GOLD[1], LABELS)["incident-free kept"] == Counts(1, 1)


@settings(max_examples=40, deadline=None)
@given(records(), records(), st.randoms())
def test_the_order_of_incidents_and_participants_changes_nothing(gold, predicted, chance):
    def again(record):
        incidents = [replace(i, participants=tuple(chance.sample(i.participants, len(i.participants)))) for i in record.incidents]
        return replace(record, incidents=tuple(chance.sample(incidents, len(incidents))))

    assert tally(gold, predicted, LABELS) == tally(again(gold), again(predicted), LABELS)


def test_of_equal_spans_those_that_agree_in_status_and_sector_are_matched():
    def sides(*pairs):
        return [incident("shelling", 4, actor("initiator", 5, sector=sector), status=status) for status, sector in pairs]

    two = Record("x", TEXT, tuple(sides(("actual", "MIL"), ("alleged", "REB"))))
    counts = tally(two, replace(two, incidents=two.incidents[::-1]), LABELS)
    assert (counts["statuses"], counts["sectors"]) == (Counts(2, 2), Counts(2, 2))


def test_an_interval_holds_the_truth_as_often_as_it_says():
    """80 documents of two passages that are hard or easy together, on average right in 0.7; 300 such files."""
    chance = random.Random(1)
    documents, held = [n // 2 for n in range(160)], 0
    for trial in range(300):
        ease = [chance.choice((0.5, 0.9)) for _ in range(80)]
        tallies = [{"items": Counts(sum(chance.random() < ease[n] for _ in range(4)), 4)} for n in documents]
        low, high = bootstrap(tallies, documents, lambda t: {"recall": t["items"].recall}, resamples=200, seed=trial)["recall"]
        held += low <= 0.7 <= high
    assert 0.90 <= held / 300 <= 0.99


def test_shuffling_the_lines_of_both_files_changes_no_figure_and_no_interval():
    chance = random.Random(4)
    gold = [
        Record(f"r{n}", TEXT, tuple(incident("shelling", k) for k in range(1 + n % 7)), extra={"document": f"d{n // 2}"}) for n in range(20)
    ]
    said = [replace(record, incidents=tuple(i for i in record.incidents if chance.random() < 0.6)) for record in gold]
    places = chance.sample(range(20), 20)
    shuffled = score([gold[n] for n in places], [said[n] for n in places], LABELS)
    assert shuffled.to_dict() == score(gold, said, LABELS).to_dict()


def test_passages_of_one_document_are_drawn_together():
    tallies = [{"items": Counts(n % 2, 1)} for n in range(40)]
    apart = bootstrap(tallies, range(40), lambda t: {"recall": t["items"].recall}, resamples=300)["recall"]
    together = bootstrap(tallies, [n % 2 for n in range(40)], lambda t: {"recall": t["items"].recall}, resamples=300)["recall"]
    assert together[1] - together[0] > apart[1] - apart[0]


GOLD = [Record("a", TEXT, (incident("shelling", 4),)), Record("b", TEXT)]


def read(tmp_path, rows):
    path = tmp_path / "pred.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return read_predictions(path, GOLD, LABELS)


def row(record, **changes):
    return {**record.to_dict(), **changes}


def test_an_empty_prediction_file_says_how_many_ids_are_missing(tmp_path):
    with pytest.raises(RecordError, match="2 of 2 ids are missing: a, b"):
        read(tmp_path, [])


def test_an_unknown_id_is_an_error(tmp_path):
    with pytest.raises(RecordError, match=r"1 ids are not in gold: 'c' \(.*pred.jsonl:3\)"):
        read(tmp_path, [*map(row, GOLD), row(GOLD[1], id="c")])


def test_an_id_predicted_twice_is_an_error(tmp_path):
    with pytest.raises(RecordError, match=r"1 rows do not hold up:\n.*pred\.jsonl:3: id 'b' stands already in line 2"):
        read(tmp_path, [*map(row, GOLD), row(GOLD[1])])


def test_predictions_over_another_text_are_an_error(tmp_path):
    with pytest.raises(RecordError, match="1 texts are not gold's: a"):
        read(tmp_path, [row(GOLD[0], text="نص آخر", incidents=[]), row(GOLD[1])])


def test_a_label_outside_the_set_is_an_error(tmp_path):
    bad = row(GOLD[0])
    bad["incidents"][0]["type"] = "war"
    with pytest.raises(RecordError, match="type is 'war'"):
        read(tmp_path, [bad, row(GOLD[1])])


def test_offsets_past_the_end_are_an_error(tmp_path):
    bad = row(GOLD[0])
    bad["incidents"][0]["trigger"]["end"] = 999
    with pytest.raises(RecordError, match="lies outside the text"):
        read(tmp_path, [bad, row(GOLD[1])])


def test_a_score_that_is_no_number_is_an_error(tmp_path):
    bad = row(GOLD[0])
    bad["incidents"][0]["score"] = float("nan")
    with pytest.raises(RecordError, match="found NaN, which is no finite number"):
        read(tmp_path, [bad, row(GOLD[1])])


def test_all_bad_rows_are_counted_and_the_first_are_shown(tmp_path):
    with pytest.raises(RecordError, match=r"(?s)2 rows do not hold up:.*pred.jsonl:1: a.*pred.jsonl:2: b"):
        read(tmp_path, [row(record, incidents=None) for record in GOLD])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("types", {"shelling": 1.5}, "expected a probability"),
        ("types", {"war": 0.5}, r"\['war'\] are not in incidents"),
        ("types", [0.5], "expected a probability"),
        ("passage_types", ["war"], r"\['war'\] are not in incidents"),
        ("passage_types", "shelling", "expected a list"),
        ("answers", {"shelling": "maybe"}, "expected yes or no"),
    ],
)
def test_what_is_said_of_the_passage_is_proved_too(tmp_path, field, value, message):
    with pytest.raises(RecordError, match=message):
        read(tmp_path, [row(GOLD[0], **{field: value}), row(GOLD[1])])


def test_two_identical_gold_incidents_are_an_error(tmp_path):
    twice = row(GOLD[0])
    twice["incidents"] *= 2
    (tmp_path / "gold.jsonl").write_text(json.dumps(twice), "utf-8")
    with pytest.raises(RecordError, match="stands twice, the same in every part"):
        read_gold(tmp_path / "gold.jsonl", LABELS)


def test_an_id_twice_in_gold_is_an_error(tmp_path):
    (tmp_path / "gold.jsonl").write_text(2 * (json.dumps(row(GOLD[0])) + "\n"), "utf-8")
    with pytest.raises(RecordError, match="id 'a' stands already in line 1; ids must be unique"):
        read_gold(tmp_path / "gold.jsonl", LABELS)


def test_predictions_in_another_order_than_gold_are_refused():
    with pytest.raises(RecordError, match="another order"):
        score(GOLD, GOLD[::-1], LABELS)


def test_an_empty_gold_file_is_an_error(tmp_path):
    (tmp_path / "gold.jsonl").write_text("", "utf-8")
    with pytest.raises(RecordError, match="no records"):
        read_gold(tmp_path / "gold.jsonl", LABELS)


def test_predictions_may_leave_out_the_text_and_come_in_any_order(tmp_path):
    rows = [{key: value for key, value in row(record).items() if key != "text"} for record in reversed(GOLD)]
    assert [record.id for record in read(tmp_path, rows)] == ["a", "b"]


def test_a_prediction_with_an_error_counts_as_empty_and_is_listed(tmp_path):
    scores = score(GOLD, read(tmp_path, [row(GOLD[0], error="boom"), row(GOLD[1])]), LABELS)
    assert scores.errors == ("a",)
    assert add(scores.tallies)["incidents"] == Counts(0, 1, 0)


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "eval.score", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def test_the_shipped_test_file_against_itself_gives_1_everywhere(tmp_path):
    done = run("data/test.jsonl", "data/test.jsonl", "--out", tmp_path / "s.json")
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "s.json").read_text("utf-8"))["figures"]
    assert figures.pop("incident count error")["value"] == 0
    assert {figure["value"] for figure in figures.values()} <= {1.0, None}
    assert figures["argument classification F1"]["value"] == 1
    assert "incidents F1" in done.stdout


def test_bad_predictions_end_with_3(tmp_path):
    (tmp_path / "p.jsonl").write_text("", "utf-8")
    done = run("data/test.jsonl", tmp_path / "p.jsonl")
    assert done.returncode == 3
    assert "152 of 152 ids are missing" in done.stderr


def test_gold_written_as_predictions_is_read_back(tmp_path):
    write_records(tmp_path / "gold.jsonl", GOLD)
    gold = read_gold(tmp_path / "gold.jsonl", LABELS)
    assert read_predictions(tmp_path / "gold.jsonl", gold, LABELS) == gold == GOLD
