from __future__ import annotations

import json
import pickle
import shutil
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import waqia
from waqia import ArtefactError, ConfigError, Reader, Reading, RecordError
from waqia.document.options import Facts
from waqia.model import artefact
from waqia.reader import LOOK_AHEAD
from waqia.records import parse_record

QUIET = "كان الطقس معتدلا في معظم المناطق خلال الأسبوع. "  # nothing to find
TEXT = "قتل ثلاثة مدنيين في قصف مدفعي لقوات النظام على مدينة إدلب مساء أمس."


@pytest.fixture(scope="module")
def article(root):
    return (root / "samples/article.txt").read_text("utf-8")


def proved(text, reading, labels):
    """The reading as a record: every span and label is checked on the way."""
    return parse_record({"id": "x", "text": text, **reading.to_dict()}, labels, "x")


def test_an_article_is_read_into_incidents_whose_spans_hold(reader, article, labels):
    reading = reader.read(article)
    assert reading.error is None
    assert len(reading.incidents) >= 3
    assert any(incident.participants for incident in reading.incidents)
    assert proved(article, reading, labels).incidents == reading.incidents
    for incident in reading.incidents:
        for span in (incident.trigger, *incident.participants):
            assert article[span.start : span.end] == span.text


def test_a_plain_sentence_gives_its_incident(reader):
    (incident,) = reader.read("قتل ثلاثة مدنيين في قصف مدفعي لقوات النظام على مدينة إدلب مساء أمس.").incidents
    assert incident.type == "shelling"
    assert incident.status == "actual"


def test_every_type_has_a_probability(reader, article, labels):
    types = reader.read(article).types
    assert list(types) == list(labels.incident_types)
    assert all(0 <= p <= 1 for p in types.values())


def test_reading_needs_no_network(article, monkeypatch):
    def blocked(*_):
        raise OSError("no network")

    monkeypatch.setattr(socket, "socket", blocked)
    assert Reader.load().read(article).error is None


def test_an_empty_text_gives_an_empty_reading(reader):
    reading = reader.read("")
    assert (reading.incidents, reading.windows, reading.truncated, reading.error) == ((), 0, False, None)


@pytest.mark.parametrize(
    "text",
    ["no Arabic here, only English.", "\x00قصف\x00 مدفعي", "قصف \ud800 مدفعي على حلب", "ﷺ" * 500, "ق" * 5000, "\u200f" * 2000, "🔴" * 300],
    ids=["latin", "nul", "surrogate", "ligatures", "one-long-word", "marks-only", "emoji"],
)
def test_odd_texts_are_read_and_no_offset_lies(reader, labels, text):
    reading = reader.read(text)
    assert reading.error is None
    proved(text, reading, labels)


def test_a_text_longer_than_what_is_merged_together_is_read_whole(reader, article, labels, monkeypatch):
    monkeypatch.setattr("waqia.model.pipeline.WINDOWS_TOGETHER", 4)
    text = "\n".join([article, QUIET * 60, article, QUIET * 60, article])
    reading = reader.read(text)
    assert (reading.error, reading.truncated) == (None, False)
    assert reading.windows > 2 * 4
    assert sum(incident.trigger.start > len(text) - len(article) for incident in reading.incidents) >= 3
    assert proved(text, reading, labels).incidents == reading.incidents


def test_a_word_that_no_window_holds_is_reported_as_truncated(reader):
    assert not reader.read("قصف مدفعي ﷺ على حلب").truncated
    assert reader.read("قصف مدفعي " + "ﷺ" * 100 + " على حلب").truncated


def test_many_texts_come_out_in_order_and_as_one_by_one(reader, article):
    texts = [part for part in article.split("\n") if part.strip()] * 3
    many = list(reader.read_many(texts))
    assert len(many) == len(texts)
    for text, reading in zip(texts, many, strict=True):
        alone = reader.read(text)
        assert shape(alone) == shape(reading)


def shape(reading):
    return [(i.type, i.status, i.trigger, [(p.role, p.sector, p.start, p.end) for p in i.participants]) for i in reading.incidents]


def test_one_bad_item_never_stops_the_rest(reader):
    readings = list(reader.read_many(["قصف مدفعي على حلب", None, 7, "احتجاجات في البصرة"]))
    assert [reading.error is None for reading in readings] == [True, False, False, True]
    assert readings[1].error == "TypeError: found NoneType, expected str"


def test_a_stream_is_read_as_it_comes(reader):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield "قصف مدفعي على حلب"

    readings = reader.read_many(endless())
    next(readings)
    assert len(taken) <= 2 * LOOK_AHEAD
    readings.close()


def test_a_stream_is_only_asked_from_the_callers_thread(reader):
    asked = set()

    def stream():
        for _ in range(3 * LOOK_AHEAD):
            asked.add(threading.get_ident())
            yield "احتجاجات في البصرة"

    assert len(list(reader.read_many(stream()))) == 3 * LOOK_AHEAD
    assert asked == {threading.get_ident()}


def test_a_reader_serves_two_threads_at_once(reader, article):
    alone = reader.read(article)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(reader.read, [article] * 4)) == [alone] * 4


def test_a_reader_can_be_pickled(reader, article):
    assert pickle.loads(pickle.dumps(reader)).read(article) == reader.read(article)


def test_a_reader_of_the_package_is_pickled_by_name(reader):
    _, (path, *_) = reader.__reduce__()
    assert path == "waqia-mini-int8"


def test_readings_say_who_read(reader):
    reading = reader.read("قصف")
    assert reading.label_set == "incidents/1"
    assert reading.model == reader.model


def test_a_reader_pickled_from_a_relative_path_opens_elsewhere(tmp_path, monkeypatch):
    shutil.copytree(artefact.DEFAULT, tmp_path / "artefact")
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(Reader.load("artefact", threads=1))
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).read("قصف").error is None


def test_a_stream_that_breaks_gives_what_it_had_first(reader):
    def broken():
        yield "قصف مدفعي على حلب"
        raise OSError("gone")

    readings = reader.read_many(broken())
    assert next(readings).error is None
    with pytest.raises(OSError, match="gone"):
        next(readings)


def test_a_stream_that_breaks_in_its_second_group_gives_all_of_it_first(reader):
    def broken():
        yield from ["احتجاجات في البصرة"] * (LOOK_AHEAD + 3)
        raise OSError("gone")

    readings = reader.read_many(broken())
    assert all(next(readings).error is None for _ in range(LOOK_AHEAD + 3))
    with pytest.raises(OSError, match="gone"):
        next(readings)


@pytest.mark.parametrize("one", ["قصف مدفعي على حلب", b"bytes"])
def test_one_text_where_many_are_meant_is_refused_at_once(reader, one):
    with pytest.raises(TypeError, match="found one"):
        reader.read_many(one)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_reader_loaded_before_a_fork_reads_the_same_in_the_child(backend):
    pytest.importorskip(backend)
    script = f"""
import os, signal, sys
from waqia import Reader
reader = Reader.load(threads=2, backend={backend!r})
before = reader.read({TEXT!r})
child = os.fork()
if not child:
    signal.alarm(30)
    many = list(reader.read_many([{TEXT!r}] * 2))
    sys.exit(0 if reader.read({TEXT!r}) == before and many == [before, before] else 1)
sys.exit(os.waitpid(child, 0)[1])
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=90).returncode == 0


def test_a_reader_says_by_what_it_reads(reader):
    same = Reader.load(threads=2).identity
    assert same == reader.identity
    assert set(same) == {"artefact", "model", "facts", "backend", "waqia", "hijri"}
    assert "hijri" not in Reader.load(threads=1, facts=Facts(dates=False)).identity
    assert same["backend"].startswith("onnxruntime ")
    assert len(same["artefact"]) == 64


def test_a_pickle_opens_no_other_artefact(reader):
    again, arguments = reader.__reduce__()
    with pytest.raises(ArtefactError, match="another artefact than the one that was pickled"):
        again(*arguments[:-1], {**arguments[-1], "artefact": "0" * 64})


@pytest.mark.parametrize(("package", "key"), [("waqia", "waqia"), ("onnxruntime", "backend"), ("hijridate", "hijri")])
def test_a_pickle_opens_only_where_what_readings_depend_on_is_the_same(reader, package, key, monkeypatch):
    pickled = pickle.dumps(reader)
    if package == "hijridate":
        monkeypatch.setattr("waqia.reader.version_of", lambda name: "another")
    else:
        monkeypatch.setattr(f"{package}.__version__", "another")
    with pytest.raises(ConfigError, match=f"read with {key} '.*, now '.*another'; install the same on every machine"):
        pickle.loads(pickled)


def test_a_reading_comes_back_equal_from_plain_data(reader, article):
    reading = reader.read(article)
    assert reading.incidents
    assert Reading.from_dict(json.loads(json.dumps(reading.to_dict()))) == reading


@pytest.mark.parametrize("data", [{}, {"incidents": 7, "types": {}}, {"incidents": [], "types": {}, "colour": 1}])
def test_plain_data_of_another_form_is_no_reading(data):
    with pytest.raises(RecordError, match=r"expected what Reading\.to_dict gives"):
        Reading.from_dict(data)


def test_everything_that_waqia_has_is_listed():
    assert set(waqia.__all__) <= set(dir(waqia))
    assert not {"Any", "TYPE_CHECKING"} & set(dir(waqia))


@pytest.mark.parametrize("threads", [257, 100_000])
def test_more_threads_than_a_runtime_answers_with_are_refused(threads):
    with pytest.raises(ConfigError, match=f"threads is {threads}, expected 1 to 256"):
        Reader.load(threads=threads)


def test_threads_below_one_are_refused():
    with pytest.raises(ConfigError, match="threads is 0"):
        Reader.load(threads=0)


def test_a_call_may_ask_for_other_thresholds(reader, article):
    scores = sorted(incident.score for incident in reader.read(article).incidents)
    kept = reader.read(article, at_least=scores[-1]).incidents
    assert [incident.score for incident in kept] == [scores[-1]]
    assert next(reader.read_many([article], at_least=scores[-1])).incidents == kept
    assert sorted(incident.score for incident in reader.read(article).incidents) == scores


def test_thresholds_by_name_leave_the_others_as_fitted(reader, article):
    fitted = reader.read(article).incidents
    named = fitted[0].type
    found = reader.read(article, at_least={named: 1.0, "place": 1.0}).incidents
    assert [incident.type for incident in found] == [incident.type for incident in fitted if incident.type != named]
    assert {p.role for incident in found for p in incident.participants} & {"initiator", "target"}
    assert "place" not in {p.role for incident in found for p in incident.participants}


@pytest.mark.parametrize("wrong", [1.5, -0.1, True, "0.5", {"shelling": 2}, {"boom": 0.5}])
def test_a_threshold_that_is_no_probability_is_refused_at_once(reader, wrong):
    with pytest.raises(ConfigError, match="at_least"):
        reader.read_many(["قصف"], at_least=wrong)


def test_a_reader_keeps_and_pickles_its_own_thresholds(reader, article):
    strict = Reader.load(threads=1, at_least=0.999)
    assert strict.identity == {**reader.identity, "at_least": "0.999"}
    assert pickle.loads(pickle.dumps(strict)).read(article) == strict.read(article) == reader.read(article, at_least=0.999)
