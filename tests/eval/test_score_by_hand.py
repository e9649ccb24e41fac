"""Every figure of three passages worked out by hand, and how the scorer reads, tells and writes them."""

from __future__ import annotations

import json
import sys

import pytest

from eval.score import scoring
from eval.score.command import Judged, judge, run
from eval.score.counts import Counts
from eval.score.files import prediction, read_gold, read_predictions
from eval.score.match import (
    Item,
    answered,
    asked_types,
    best_overlap,
    judged,
    match,
    overlap,
    passage_types,
    same_incident,
    same_participant,
    same_span,
    same_trigger,
    unmarked_types,
)
from tests.eval.test_score import LABELS, TEXT, actor, incident
from waqia import Incident, Participant, Reading, Record, RecordError, Span, write_records
from waqia.errors import ArtefactError

GOLD = [
    Record(
        "a",
        TEXT,
        (
            incident("shelling", 4, actor("initiator", 5, sector="MIL"), actor("target", 6)),
            incident("armed_attack", 0, actor("initiator", 1), actor("target", 2), status="alleged"),
        ),
        extra={"document": "d"},
    ),
    Record("b", TEXT, extra={"document": "d"}),
    Record("c", TEXT, (incident("arrest", 7, actor("target", 8, 9)),)),
]
SAID = [
    Record(
        "a",
        TEXT,
        (
            incident("shelling", 4, actor("initiator", 5, sector="REB"), actor("place", 6), status="alleged"),
            incident("armed_attack", 0, actor("initiator", 1), actor("target", 1, 2), status="alleged", last=1),
            incident("arrest", 7, actor("target", 8)),
        ),
    ),
    Record("b", TEXT),
    Record("c", TEXT),
]


@pytest.fixture(scope="module")
def scores():
    return scoring.score(GOLD, SAID, LABELS)


@pytest.fixture(scope="module")
def data(scores):
    return scores.to_dict()


@pytest.fixture
def no_intervals(monkeypatch):
    """Figures without the second that their intervals take."""
    monkeypatch.setattr(scoring, "bootstrap", lambda tallies, documents, figures, *, resamples: dict.fromkeys(figures({})))


FIGURES = {
    "types micro-F1": 4 / 6,  # shelling and armed_attack of three types on each side
    "types macro-F1": 2 / 3,  # 1, 1, and 0 for arrest
    "incidents F1": 4 / 6,
    "actors F1": 4 / 9,  # both initiators; three targets in gold, two predicted, none alike
    "initiator F1": 1.0,
    "target F1": 0.0,
    "reporter F1": None,
    "place F1": 0.0,
    "time F1": None,
    "casualties F1": None,
    "sectors accuracy": 1 / 2,  # of the two initiators that match
    "statuses accuracy": 1 / 2,  # of the two incidents that match
    "incident-free kept": 1.0,  # b
    "incident count error": 2 / 3,  # 1, 0, 1
    "merging LEA": None,
    "merging CoNLL F1": None,
    "merging MUC": None,
    "merging B3": None,
    "merging CEAFe": None,
    "merging pair precision": None,
    "merging pair recall": None,
    "merging pair F1": None,
    "incidents F1 (one trigger)": 4 / 6,
    "trigger identification F1": 2 / 6,
    "trigger classification F1": 2 / 6,  # shelling: the other's trigger is longer
    "actors F1 (one mention)": 4 / 9,
    "actors exact F1": 4 / 9,
    "initiator F1 (one mention)": 1.0,
    "initiator exact F1": 1.0,
    "target F1 (one mention)": 0.0,
    "target exact F1": 0.0,
    "reporter F1 (one mention)": None,
    "reporter exact F1": None,
    "place F1 (one mention)": 0.0,
    "place exact F1": 0.0,
    "time F1 (one mention)": None,
    "time exact F1": None,
    "casualties F1 (one mention)": None,
    "casualties exact F1": None,
    "argument identification F1": 6 / 10,  # the two initiators, and the place that is a target
    "argument classification F1": 4 / 10,
    "sectors accuracy (one mention)": 1 / 2,
    "statuses accuracy (one trigger)": 1 / 2,
}


def test_every_figure_is_what_a_hand_makes_it(scores):
    assert scores.figures() == {name: value if value is None else pytest.approx(value) for name, value in FIGURES.items()}


def test_figures_are_written_with_intervals_and_the_counts_that_they_come_from(scores, data):
    assert (data["records"], data["documents"], data["label_set"]) == (3, 2, f"{LABELS.name}/{LABELS.version}")
    assert list(data) == ["records", "documents", "label_set", "figures", "mean_average_precision", "types", "counts", "errors"]
    assert {name: figure["value"] for name, figure in data["figures"].items()} == scores.figures()
    assert data["figures"]["reporter F1"] == {"value": None, "interval": None}
    # drawn are d twice, d and c, or c twice: 2 / 5 pairs, then 2 / 3, or none
    assert data["figures"]["incidents F1"]["interval"] == pytest.approx([0.0, 4 / 5])
    assert data["counts"]["incidents"] == [2, 3, 3]
    assert data["counts"]["arguments/identified"] == [3, 5, 5]
    assert data["counts"]["incidents/arrest"] == [0, 1, 1]
    assert data["counts"]["one trigger/incidents"] == [2, 3, 3]
    assert list(data["counts"]) == sorted(data["counts"])
    assert {name: row for name, row in data["types"].items() if row["gold"] or row["predicted"]} == {
        name: {
            "gold": 1,
            "predicted": 1,
            "hits": hit,
            "precision": hit,
            "recall": hit,
            "f1": hit,
            "passage_f1": hit,
            "average_precision": None,
        }
        for name, hit in (("shelling", 1), ("armed_attack", 1), ("arrest", 0))
    }
    assert list(data["types"]) == list(LABELS.incident_types)
    assert data["types"]["protest"] == dict.fromkeys(("precision", "recall", "f1", "passage_f1", "average_precision")) | {
        "gold": 0,
        "predicted": 0,
        "hits": 0,
    }
    assert (data["mean_average_precision"], data["errors"]) == (None, [])
    json.dumps(data)


def test_the_headline_is_one_line_of_what_could_be_scored(scores):
    assert scores.headline().startswith(
        "types micro-F1 0.667, types macro-F1 0.667, incidents F1 0.667, actors F1 0.444, initiator F1 1.000"
    )
    assert "reporter" not in scores.headline()


def test_scores_are_told_in_lines(data):
    lines = scoring.table(data)
    assert lines[:2] == [f"3 records of 2 documents, {LABELS.name}/{LABELS.version}", ""]
    assert f"{'incidents F1':<34} 0.667  [0.000, 0.800]" in lines
    assert f"{'reporter F1':<34}     –" in lines
    place = lines.index(f"{'type':<22} {'gold':>5} {'pred':>5}   prec    rec     F1   type F1    AP")
    assert lines[place - 1] == ""
    rows = lines[place + 1 : place + 4]
    assert f"{'shelling':<22} {1:>5} {1:>5}  1.000  1.000  1.000  1.000      –" in rows
    assert f"{'arrest':<22} {1:>5} {1:>5}  0.000  0.000  0.000  0.000      –" in rows
    assert lines[place + 4 :] == ["", "mean average precision of the types     –"]


def test_predictions_with_an_error_are_told_in_a_line(no_intervals):
    names = [f"r{n}" for n in range(12)]
    gold = [Record(name, TEXT, (incident("arrest", 7),)) for name in names]
    said = [Record(name, TEXT, extra={"error": "boom"}) for name in names]
    last = scoring.table(scoring.score(gold, said, LABELS).to_dict())[-2:]
    assert last == ["", "12 predictions carry an error and count as empty: " + ", ".join(names[:10])]


def test_average_precision_is_over_the_passages_that_were_asked(scores):
    gold = [GOLD[2], Record("b", TEXT), Record("d", TEXT, annotated=("shelling",)), Record("e", TEXT, annotated=("arrest",))]
    said = [Record(r.id, TEXT, extra={"types": {"arrest": p}}) for r, p in zip(gold, (0.5, 0.6, 0.9, 0.1), strict=True)]
    found = scoring.average_precision(list(zip(gold, said, strict=True)), LABELS)
    assert {name for name, value in found.items() if value is not None} == {"arrest"}
    assert found["arrest"] == pytest.approx(1 / 2)  # second of three: 0.6, 0.5, 0.1
    assert list(found) == list(LABELS.incident_types)
    assert set(scores.average_precision.values()) == {None}  # no prediction gives probabilities
    partly = [(gold[0], said[0]), (gold[1], Record("b", TEXT))]
    assert scoring.average_precision(partly, LABELS)["arrest"] == 1.0


def test_average_precision_is_told_by_type_and_as_a_mean(no_intervals):
    gold = [GOLD[2], Record("b", TEXT)]
    said = [Record("c", TEXT, extra={"types": {"arrest": 0.5}}), Record("b", TEXT, extra={"types": {"arrest": 0.6}})]
    data = scoring.score(gold, said, LABELS).to_dict()
    assert (data["types"]["arrest"]["average_precision"], data["mean_average_precision"]) == (0.5, 0.5)
    lines = scoring.table(data)
    assert lines[-1] == "mean average precision of the types 0.500"
    assert f"{'arrest':<22} {1:>5} {0:>5}      –  0.000  0.000  0.000  0.500" in lines


def test_types_are_what_a_record_says_marks_or_answers():
    plain = Record("a", TEXT, (incident("arrest", 7),), extra={"answers": {"shelling": "yes", "protest": "no", "arrest": "yes"}})
    assert passage_types(plain) == {"arrest", "shelling"}
    assert answered(plain) == {"shelling", "arrest"}
    assert unmarked_types(plain) == {"shelling"}
    assert passage_types(Record("a", TEXT, (incident("arrest", 7),), extra={"passage_types": []})) == set()
    assert asked_types(plain, LABELS) == set(LABELS.incident_types)
    assert asked_types(Record("a", TEXT, annotated=("arrest",)), LABELS) == {"arrest"}


def test_judged_are_the_types_that_were_asked_and_marked():
    gold = Record("a", TEXT, (incident("arrest", 7),), annotated=("arrest", "shelling"), extra={"answers": {"shelling": "yes"}})
    said = Record("a", TEXT, (incident("arrest", 0), incident("shelling", 4), incident("protest", 1)))
    assert judged(gold, said, LABELS) == ([gold.incidents[0]], [said.incidents[0]])


def test_overlap_is_what_two_spans_share_of_the_longer_one():
    assert overlap(Span(0, 4, "abcd"), Span(2, 10, "cdefghij")) == 2 / 8
    assert overlap(Span(2, 10, "cdefghij"), Span(0, 4, "abcd")) == 2 / 8
    assert overlap(Span(0, 4, "abcd"), Span(4, 5, "e")) == 0.0
    assert overlap(Span(0, 4, "abcd"), Span(9, 10, "j")) == 0.0
    assert best_overlap([], [Span(0, 4, "abcd")]) == 0.0
    assert best_overlap([Span(0, 4, "abcd"), Span(6, 8, "gh")], [Span(7, 8, "h"), Span(20, 21, "x")]) == 0.5


def test_incidents_are_as_alike_as_their_mentions_and_a_little_more_of_one_status():
    a = Incident("arrest", "actual", Span(0, 4, "abcd"), (), None, (Span(10, 14, "abcd"),))
    b = Incident("arrest", "actual", Span(12, 14, "cd"), (), None, ())
    assert same_incident(a, b) == 0.5 + 1e-6
    assert same_incident(a, Incident("arrest", "alleged", b.trigger)) == 0.5
    assert same_incident(a, Incident("protest", "actual", b.trigger)) == 0.0
    assert same_incident(a, Incident("arrest", "actual", Span(5, 6, "x"))) == 0.0
    assert same_trigger(a, b) == 0.0
    assert same_trigger(a, Incident("arrest", "actual", Span(0, 2, "ab"))) == 0.5 + 1e-6


def test_participants_are_alike_from_half_on_and_a_little_more_of_one_sector():
    def item(start, end, role="target", sector="COP", kind="arrest", mentions=()):
        return Item(kind, Participant(start, end, "x" * (end - start), role, sector, None, mentions))

    one = item(0, 4, mentions=(Span(10, 14, "xxxx"),))
    assert same_participant(one, item(2, 4)) == 0.5 + 1e-6
    assert same_participant(one, item(2, 4, sector="MIL")) == 0.5
    assert same_participant(one, item(3, 4)) == 0.0
    assert same_participant(one, item(0, 4, role="initiator")) == 0.0
    assert same_participant(one, item(0, 4, kind="protest")) == 0.0
    assert same_participant(one, item(10, 14)) == 1.0 + 1e-6
    assert same_span(one, item(10, 14)) == 0.0
    assert same_span(one, item(0, 4)) == 1.0 + 1e-6


def test_one_more_pair_is_better_than_any_likeness():
    likeness = {("a", "x"): 1.0, ("b", "y"): 0.01, ("a", "y"): 0.02, ("b", "x"): 0.0}
    assert match(["a", "b"], ["x", "y"], lambda a, b: likeness[a, b]) == [("a", "x"), ("b", "y")]
    crossed = {("a", "x"): 1.0, ("a", "y"): 0.1, ("b", "x"): 0.1, ("b", "y"): 0.0}
    assert match(["a", "b"], ["x", "y"], lambda a, b: crossed[a, b]) == [("a", "y"), ("b", "x")]
    assert match(["a"], ["x"], lambda a, b: 0.0) == []
    assert match([], ["x"], lambda a, b: 1.0) == match(["a"], [], lambda a, b: 1.0) == []


def test_a_predicted_type_breaks_silence_only_where_it_was_asked():
    silent = Record("b", TEXT, annotated=("arrest",))
    shelling, arrest = (Record("b", TEXT, extra={"passage_types": [kind]}) for kind in ("shelling", "arrest"))
    assert scoring.tally(silent, shelling, LABELS)["incident-free kept"] == Counts(1, 1)
    assert scoring.tally(silent, arrest, LABELS)["incident-free kept"] == Counts(0, 1)
    assert set(scoring.tally(silent, shelling, LABELS)) & {"types/shelling", "types/arrest"} == {"types/arrest"}


def test_a_reading_becomes_a_prediction_of_its_record():
    found = incident("arrest", 7)
    said = prediction(GOLD[2], Reading((found,), {"arrest": 0.5}))
    assert said == Record("c", TEXT, (found,), None, {"types": {"arrest": 0.5}})
    assert prediction(GOLD[2], Reading((), {}, error="boom")).extra == {"types": {}, "error": "boom"}


def written(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def test_five_faults_are_shown_and_the_others_counted(tmp_path):
    gold = [Record(f"r{n}", TEXT) for n in range(7)]
    for count, more in ((5, ";"), (6, ", …;")):
        path = written(tmp_path / "p.jsonl", [record.to_dict() for record in gold[count:]])
        with pytest.raises(RecordError) as fault:
            read_predictions(path, gold, LABELS)
        names = ", ".join(f"r{n}" for n in range(5))
        assert str(fault.value) == f"{path}: {count} of 7 ids are missing: {names}{more} predict every record, empty ones too"
        bad = written(tmp_path / "g.jsonl", [{"id": f"r{n}", "text": TEXT} for n in range(count)])
        with pytest.raises(RecordError) as fault:
            read_gold(bad, LABELS)
        lines = str(fault.value).splitlines()
        assert lines[0] == f"{bad}: {count} rows do not hold up:"
        assert [line.startswith(f"{bad}:{n + 1}: r{n}") for n, line in enumerate(lines[1:6])] == [True] * 5
        assert lines[6:] == (["…"] if count == 6 else [])


def test_a_fault_of_predictions_says_what_to_do_next(tmp_path):
    def fault(rows):
        with pytest.raises(RecordError) as found:
            read_predictions(written(tmp_path / "p.jsonl", rows), GOLD, LABELS)
        return str(found.value).removeprefix(f"{tmp_path}/")

    rows = [record.to_dict() for record in SAID]
    assert (
        fault([*rows, {"id": "z"}]) == f"p.jsonl: 1 ids are not in gold: 'z' ({tmp_path}/p.jsonl:4); predict the gold file's records only"
    )
    assert "'no id but None' (" in fault([*rows, {}])
    assert "'no id but [1]' (" in fault([*rows, {"id": [1]}])
    assert "'no id but None' (" in fault([*rows, 5])
    other = "p.jsonl: 1 texts are not gold's: b; predict on the very texts of the gold file"
    assert fault([rows[0], {**rows[1], "text": "x"}, rows[2]]) == other
    with pytest.raises(RecordError) as found:
        read_gold(written(tmp_path / "g.jsonl", []), LABELS)
    assert str(found.value) == f"{tmp_path}/g.jsonl: no records; expected gold JSONL with id, text and incidents"


def test_a_prediction_with_an_error_needs_nothing_but_its_id(tmp_path):
    path = written(tmp_path / "p.jsonl", [{"id": "c", "error": "boom"}, {"id": "a", "error": "bang", "incidents": 5}, SAID[1].to_dict()])
    said = read_predictions(path, GOLD, LABELS)
    assert [(r.id, r.text, r.incidents, r.extra.get("error")) for r in said] == [
        ("a", TEXT, (), "bang"),
        ("b", TEXT, (), None),
        ("c", TEXT, (), "boom"),
    ]


def test_a_script_reads_analyses_prints_and_writes(tmp_path, capsys):
    for name, records in (("gold", GOLD), ("said", SAID[::-1]), ("train", GOLD[:1]), ("more", GOLD[1:])):
        write_records(tmp_path / f"{name}.jsonl", records)
    seen = []

    def analysis(files):
        seen.append(files)
        return {"عدد": len(files.gold)}

    files = [str(tmp_path / "gold.jsonl"), str(tmp_path / "said.jsonl")]
    judge("What it does.", [*files, "--out", str(tmp_path / "o.json")], analysis, lambda result: ["a", str(result)])
    assert capsys.readouterr().out == "a\n{'عدد': 3}\n"
    assert (tmp_path / "o.json").read_text("utf-8") == '{\n "عدد": 3\n}\n'
    assert seen[0] == Judged(GOLD, [Record(r.id, TEXT, r.incidents) for r in SAID], LABELS)
    assert [(a.id, b.id) for a, b in seen[0].pairs] == [("a", "a"), ("b", "b"), ("c", "c")]
    trained = [str(tmp_path / f"{name}.jsonl") for name in ("train", "more")]
    judge(None, [*files, "--train", *trained, "--labels", "configs/labels/incidents.yaml"], analysis, lambda result: [], train=True)
    assert [record.id for record in seen[1].train] == ["a", "b", "c"]
    judge(None, files, analysis, lambda result: [], train=True)
    assert seen[2].train == []


def test_a_script_explains_itself_and_takes_training_files_only_where_it_says_so(capsys):
    with pytest.raises(SystemExit) as done:
        judge("What it does:\n\n  as written.", ["--help"], lambda files: {}, lambda result: [], train=True)
    assert done.value.code == 0
    told = capsys.readouterr().out
    assert "What it does:\n\n  as written." in told
    assert "[--train FILE [FILE ...]]" in told
    assert "what the system was trained on" in told
    assert "label set (default: configs/labels/incidents.yaml)" in " ".join(told.split())
    assert "also write the result as JSON here" in told
    assert "GOLD PRED" in " ".join(told.split())
    with pytest.raises(SystemExit) as done:
        judge(None, ["a", "b", "--train", "c"], lambda files: {}, lambda result: [])
    assert done.value.code == 2
    assert "unrecognized arguments: --train c" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (RecordError("a bad row"), 3, "a bad row\n"),
        (ArtefactError("a broken artefact"), 4, "a broken artefact\n"),
        (OSError(2, "No such file", "x.jsonl"), 2, "x.jsonl: No such file\n"),
    ],
)
def test_a_script_ends_with_the_exit_code_of_its_fault_and_one_line(capsys, fault, code, told):
    def main():
        raise fault

    with pytest.raises(SystemExit) as done:
        run(main)
    assert done.value.code == code
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize("code", [None, 0, 5])
def test_a_script_ends_with_what_its_main_returns(code):
    with pytest.raises(SystemExit) as done:
        run(lambda: code)
    assert done.value.code == code


def test_the_command_scores_two_files(tmp_path, capsys, no_intervals):
    write_records(tmp_path / "gold.jsonl", GOLD)
    write_records(tmp_path / "said.jsonl", SAID)
    scoring.main([str(tmp_path / "gold.jsonl"), str(tmp_path / "said.jsonl")])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"3 records of 2 documents, {LABELS.name}/{LABELS.version}"
    assert any(line.startswith("incidents F1 ") and " 0.667" in line for line in told)
    with pytest.raises(SystemExit):
        scoring.main(["--help"])
    assert "python -m eval.score GOLD PRED" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_ends_a_script_quietly(tmp_path, monkeypatch):
    def main():
        raise BrokenPipeError

    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as done:
            run(main)
        assert done.value.code == 0
        out.write("what nobody reads")
    assert (tmp_path / "out").read_text() == ""
