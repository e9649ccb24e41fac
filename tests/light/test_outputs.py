"""`waqia batch` writes what the name of its output says, and `waqia read` reads files of many texts."""

from __future__ import annotations

import csv
import gzip
import json
import lzma

import pytest

from waqia.bulk import outputs
from waqia.bulk.outputs import as_named
from waqia.cli import main
from waqia.errors import ConfigError
from waqia.schema import Incident, Participant, Reading, Span

TEXT = "قصف مدفعي على إدلب"


def line(name, *incidents, error=None, **fields):
    reading = Reading(incidents, {"shelling": 0.9}, 1, False, "incidents/1", "m", error)
    return json.dumps({"id": name, **fields, "text": TEXT, **reading.to_dict()}, ensure_ascii=False) + "\n"


@pytest.fixture
def lines():
    """Readings of three texts: two incidents, none, one that could not be read."""
    place = Participant(14, 18, "إدلب", "place", None, 0.5)
    shelling = Incident("shelling", "actual", Span(0, 9, "قصف مدفعي"), (place,), 0.75, killed=3)
    other = Incident("air_strike", "alleged", Span(0, 3, "قصف"), (), 0.5)
    rows = line(7, shelling, other, url="=cmd()", tags=["a"]), line("7", url="x"), line("c", error="TypeError: x", url=None)
    return "".join(rows)


def stop(where, lines):
    with open(where, "w", encoding="utf-8") as out:
        out.write(lines)
    raise KeyboardInterrupt


def made(target, lines, labels):
    with as_named(str(target), labels) as where:
        assert where == f"{target}.jsonl"
        with open(where, "w", encoding="utf-8") as out:
            out.write(lines)
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    return target


def test_a_table_has_a_row_an_incident_and_one_for_a_text_without(tmp_path, lines, labels):
    with made(tmp_path / "out.csv", lines, labels).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["type"], row["place"], row["killed"], row["error"]) for row in rows] == [
        ("7", "shelling", "إدلب", "3", ""),
        ("7", "air_strike", "", "", ""),
        ("7", "", "", "", ""),
        ("c", "", "", "", "TypeError: x"),
    ]
    assert [row["input_tags"] for row in rows] == ['["a"]', '["a"]', "", ""]


def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path, lines, labels):
    text = made(tmp_path / "out.tsv", lines, labels).read_text("utf-8-sig")
    assert "\t'=cmd()\t" in text
    assert "\t=cmd()" not in text


def test_json_is_one_array_of_whole_readings(tmp_path, lines, labels):
    array = json.loads(made(tmp_path / "out.json", lines, labels).read_text("utf-8"))
    assert array == [json.loads(line) for line in lines.splitlines()]
    assert array[0]["id"] == 7


@pytest.mark.parametrize(("suffix", "unpack"), [(".gz", gzip.decompress), (".xz", lzma.decompress)])
def test_packed_jsonl_holds_the_very_lines(tmp_path, lines, labels, suffix, unpack):
    assert unpack(made(tmp_path / f"out.jsonl{suffix}", lines, labels).read_bytes()).decode() == lines


def test_a_packed_table_is_a_table_inside(tmp_path, lines, labels):
    zstandard = pytest.importorskip("zstandard")
    packed = made(tmp_path / "out.csv.zst", lines, labels).read_bytes()
    text = zstandard.ZstdDecompressor().decompressobj().decompress(packed).decode("utf-8-sig")
    assert text.startswith("id,incident,type,status,score,trigger,")


def test_parquet_has_the_same_table_with_numbers_as_numbers(tmp_path, lines, labels):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(made(tmp_path / "out.parquet", lines, labels))
    assert table["id"].to_pylist() == ["7", "7", "7", "c"]
    assert table["killed"].to_pylist() == [3, None, None, None]
    assert table["score"].to_pylist() == [0.75, 0.5, None, None]
    assert table["input_url"].to_pylist() == ["=cmd()", "=cmd()", "x", None]


def test_parquet_keeps_ids_that_are_all_numbers(tmp_path, labels):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(made(tmp_path / "out.parquet", line(1) + line(2**63 - 1), labels))
    assert table["id"].to_pylist() == [1, 2**63 - 1]


def test_a_number_that_64_bits_do_not_hold_makes_a_column_text(tmp_path, labels):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(made(tmp_path / "out.parquet", line(1) + line(2**63), labels))
    assert table["id"].to_pylist() == ["1", str(2**63)]


def test_what_fails_on_the_way_leaves_the_lines_and_no_output(tmp_path, lines, labels):
    target = tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt), as_named(str(target), labels) as where:
        stop(where, lines)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv.jsonl"]


def test_a_whole_output_is_never_replaced(tmp_path, lines, labels):
    target = made(tmp_path / "out.csv", lines, labels)
    with pytest.raises(ConfigError, match="is there already, whole"), as_named(str(target), labels):
        raise AssertionError


@pytest.mark.parametrize("name", ["out.xlsx", "out.parquet.gz"])
def test_an_ending_that_is_not_written_is_refused_before_anything_is_read(tmp_path, labels, name):
    with pytest.raises(ConfigError, match="is not written; written are JSONL"), as_named(str(tmp_path / name), labels):
        raise AssertionError


def test_a_missing_library_is_named_before_anything_is_read(tmp_path, labels, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'waqia\[files\]'"), as_named(str(tmp_path / "out.parquet"), labels):
        raise AssertionError


@pytest.mark.parametrize("name", ["out.jsonl", "out", "out.txt", "-"])
def test_jsonl_is_written_in_place(tmp_path, labels, name):
    target = name if name == "-" else str(tmp_path / name)
    with as_named(target, labels) as where:
        assert where == target


def test_a_batch_from_table_to_table_leaves_one_file_and_goes_on_after_a_kill(tmp_path, capsys, monkeypatch):
    path, out = tmp_path / "a.csv", tmp_path / "out.csv"
    path.write_text(f"id,text,url\n1,{TEXT},u\n2,سلام,v\n", "utf-8")
    with monkeypatch.context() as killed:
        killed.setattr(outputs, "_make", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
        assert main(["batch", str(path), str(out)]) == 1
    assert main(["batch", str(path), str(out)]) == 0
    assert '"rows": 2, "written": 0' in capsys.readouterr().err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.csv", "out.csv"]
    rows = list(csv.DictReader(out.read_text("utf-8-sig").splitlines()))
    assert [(row["id"], row["input_url"]) for row in rows] == [("1", "u"), ("2", "v")]
    assert rows[0]["type"] == "shelling"


def test_read_takes_the_texts_of_a_file_of_many(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text(f"n,body,when\n5,{TEXT} أمس,2021-03-04\n6,,\n", "utf-8")
    named = ["--id-field", "n", "--text-field", "body", "--date-field", "when"]
    assert main(["read", str(path), "--format", "json", *named]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["path"], first["id"], first["incidents"][0]["type"]) == (str(path), "5", "shelling")
    assert (second["id"], second["incidents"]) == ("6", [])


def test_read_tells_a_faulty_row_and_reads_the_next(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": 1}) + "\n" + json.dumps({"id": 2, "text": TEXT}) + "\n", "utf-8")
    assert main(["read", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out.startswith(f"{path} 2: 1 incidents in 1 window")
    assert "a.jsonl:1: text is None, expected text" in err


def test_read_makes_no_page_of_many_texts(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"id": n, "text": TEXT}) + "\n" for n in range(2)), "utf-8")
    assert main(["read", str(path), "--format", "html"]) == 2
    assert "found more than one text" in capsys.readouterr().err


def test_read_says_what_a_file_is_that_is_no_text(tmp_path, capsys):
    path = tmp_path / "a.docx"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    assert main(["read", str(path)]) == 3
    assert "it is a ZIP file (Excel and Word files are such)" in capsys.readouterr().err
