from __future__ import annotations

import json
import re

import pytest

from eval.gate import read_figures
from eval.report import plots
from eval.report.build import baselines, examples, main, pieces, sentence
from waqia import LabelSet, read_records
from waqia.errors import ConfigError
from waqia.model import artefact
from waqia.records import parse_record


@pytest.fixture(scope="module")
def out(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    lines = (root / "data/test.jsonl").read_text("utf-8").splitlines()[:6]
    (folder / "gold.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    arguments = [str(artefact.DEFAULT), str(folder / "gold.jsonl"), str(folder / "out"), "--threads", "1"]
    main([*arguments, "--train", str(root / "data/dev.jsonl"), "--against", str(artefact.DEFAULT)])
    return folder / "out"


def test_a_report_is_one_page_that_asks_nothing_of_the_network(out):
    page = (out / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert not re.search(r"""(src|href)=["'](?!#)|url\((?!#)|@import""", page)
    assert page.count("<svg") >= 4
    assert "#040404" not in page
    assert "var(--accent)" in page


def test_the_gate_reads_the_reports_figures(out):
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert read_figures(out / "report.json")["incidents F1"] == report["figures"]["incidents F1"]["value"]
    assert report["records"] == 6


def test_a_model_against_itself_is_told_undecided(out):
    report = json.loads((out / "report.json").read_text("utf-8"))
    tested = [row for row in report["against"]["figures"].values() if row["test"]]
    assert tested
    assert all(row["test"]["effect"] == 0 and row["test"]["p"] == 1 for row in tested)
    assert {row["verdict"] for row in tested} == {"the data cannot decide"}


def test_the_model_card_carries_the_reports_figures(out):
    from huggingface_hub import ModelCard

    card, report = ModelCard.load(out / "model-card.md"), json.loads((out / "report.json").read_text("utf-8"))
    figures = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert figures["types micro-F1"] == round(report["figures"]["types micro-F1"]["value"], 4)
    assert report["data"]["gold"]["sha256"][:12] in card.text


def test_predictions_of_a_report_can_be_compared_against(out, tmp_path):
    gold = out.parent / "gold.jsonl"
    main([str(artefact.DEFAULT), str(gold), str(tmp_path), "--against", str(out / "predictions.jsonl"), "--threads", "1"])
    against = json.loads((tmp_path / "report.json").read_text("utf-8"))["against"]
    assert against["name"] == "predictions.jsonl"
    assert against["figures"]["incidents F1"]["test"]["effect"] == 0


def test_simple_systems_stand_beside_the_model(out):
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert list(report["baselines"]) == ["keywords", "tfidf", "crf"]
    assert report["baselines"]["tfidf"]["incidents F1"]["value"] == 0.0
    assert report["baselines"]["keywords"]["types micro-F1"]["value"] > 0
    page = (out / "report.html").read_text("utf-8")
    assert "Beside simple systems" in page


def test_without_training_files_only_keywords_stand_beside_the_model(root, labels):
    gold = list(read_records(root / "data/test.jsonl", labels))[:6]
    assert list(baselines(gold, labels, [])) == ["keywords"]


def test_another_label_set_is_no_rival(root, tmp_path, monkeypatch):
    from eval.report import build as report

    class Other:
        labels = LabelSet.load(root / "configs/labels/plover-gsr.yaml")

    monkeypatch.setattr(report.Reader, "load", lambda path: Other)
    with pytest.raises(ConfigError, match="another label set"):
        report.against(tmp_path, [], [], LabelSet.load(root / "configs/labels/incidents.yaml"))


def test_pieces_of_a_sentence_are_the_sentence(root, labels):
    for record in read_records(root / "data/test.jsonl", labels):
        for incident in record.incidents:
            start, end = sentence(record.text, incident)
            cut = pieces(record.text, incident)
            assert "".join(text for text, _ in cut) == record.text[start:end]
            assert incident.trigger.text in "".join(text for text, name in cut if name == "trigger")


def test_what_a_text_says_cannot_become_markup(row, labels):
    from eval.report.build import render

    row["text"] = row["text"] + " <script>alert(1)</script>"
    gold, silent = parse_record(row, labels, "here"), parse_record({**row, "incidents": []}, labels, "here")
    found = list(examples([gold], [silent], labels))
    assert [example["kind"] for example in found] == ["missed"]
    nothing = {"calibration": {}, "precision_recall": {}, "average_precision": {"mean": {"interval": None}}}
    report = {
        "model": "<b>m</b>", "label_set": "incidents/1", "records": 1, "documents": 1, "errors": [], "figures": {}, "types": {},
        "mean_average_precision": None, "data": {"gold": {"name": "g", "bytes": 1, "sha256": "0"}, "train": []}, "against": None,
        "probabilities": nothing, "error_classes": {"confusion": {"types": [], "sectors": []}, "triggers": {"counts": {}},
        "participants": {"counts": {}}}, "slices": {}, "baselines": {}, "robustness": {"changes": {}, "statuses": {}},
        "reach": {"incidents": None, "participants": None, "causes": {}}, "curve": None, "engines": None, "versions": {},
        "speed": dict.fromkeys(("passages_a_second", "words_a_second", "milliseconds_median", "milliseconds_p95"), 1.0),
        "artefact": {"bytes": 1, "manifest": {"files": {}, "card": {"config": {}, "data": {}, "temperatures": {}}}, "settings": {}},
    }  # fmt: skip
    page = render(report, found, labels)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>m</b>" not in page


def test_a_plot_is_the_same_each_time_and_none_where_there_is_nothing():
    cells = [{"gold": "arrest", "predicted": "arrest", "count": 3}, {"gold": "arrest", "predicted": None, "count": 1}]
    once, again = (plots.svg(plots.confusion(cells, ["arrest", "riot"])) for _ in range(2))
    assert once == again
    assert "riot" not in once
    assert "nothing" in once
    assert plots.confusion([], ["arrest"]) is None
    assert plots.precision_recall({"arrest": None}, {"arrest": {"gold": 1}}) is None
    assert plots.reliability({"types": None}) is None
    assert plots.effects({"digits": {}}, "incidents F1") is None


def test_engines_are_drawn_for_each_model_and_those_that_cannot_run_are_left_out():
    measured = {"passages_per_cpu_s": {"median": 40.0, "min": 38.0, "max": 41.0}, "share_of_limit": {"median": 0.31}}
    shape = {"name": "mini", "layers": 4, "width": 256}
    times = {"times_pipeline": {"median": 1.5}}
    rows = {"pipeline batch 1": measured, "waqia onnxruntime": measured | times, "tpu": {"unsupported": "no"}}
    drawn = plots.svg(plots.engines({"shapes": {"mini": {"shape": shape, "engines": rows}}}))
    assert "1.5×, 31%" in drawn
    assert "tpu" not in drawn
