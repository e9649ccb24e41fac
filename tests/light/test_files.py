"""Inputs of every kind as rows, with ids as they are and faults in their place."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import lzma

import pytest

from waqia.bulk.files import as_jsonl, rows
from waqia.cli import main
from waqia.errors import RecordError


def fields(path, **names):
    return [row.fields for row in rows(path, **names)]


def test_csv_has_its_columns_named_as_said(tmp_path):
    path = tmp_path / "news.csv"
    path.write_bytes('\ufeffnum,body,when\r\n7,"قصف، ""عنيف""\r\nعلى إدلب",2021-03-04\r\n'.encode())
    assert fields(path, id_field="num", text_field="body", date_field="when") == [
        {"id": "7", "text": 'قصف، "عنيف"\r\nعلى إدلب', "date": "2021-03-04"}
    ]


@pytest.mark.parametrize(("name", "mark"), [("a.tsv", "\t"), ("a.csv", ";")])
def test_tabs_and_semicolons_part_columns(tmp_path, name, mark):
    path = tmp_path / name
    path.write_text(f"id{mark}text\na{mark}قصف, غارة\n", "utf-8")
    assert fields(path) == [{"id": "a", "text": "قصف, غارة"}]


def test_a_row_of_another_width_keeps_its_place(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\na,قصف\nb,قصف,على\nc,غارة\n", "utf-8")
    assert [row.fault for row in rows(path)] == [None, f"{path}:3: has 3 columns, expected 2 as in the first row", None]


def test_ids_of_any_json_scalar_stay_as_they_are(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"id": 7, "text": "ا"}, {"id": 1.5, "text": "ب"}, {"id": "7", "text": "ت"}, {"text": "ث"}]', "utf-8")
    assert [row["id"] for row in fields(path)] == [7, 1.5, "7", 4]


def test_an_id_that_stands_twice_is_a_fault_of_the_second(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "text": "ا"}\n{"id": 1, "text": "ب"}\n', "utf-8")
    assert [row.fault for row in rows(path)] == [None, f"{path}:2: id 1 stands already at {path}:1; ids must be unique in a file"]


def test_a_missing_text_column_is_told_with_the_columns_there_are(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,body\n1,قصف\n", "utf-8")
    (row,) = rows(path)
    assert row.fault == f"{path}:2: text is None, expected text; columns are id, body: name the one with the text by --text-field"


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_packed_files_are_unpacked(tmp_path, suffix, pack):
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(pack('{"id": "a", "text": "قصف 🔴"}\n'.encode()))
    assert fields(path) == [{"id": "a", "text": "قصف 🔴"}]


def test_zstandard_is_unpacked(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "a.csv.zst"
    path.write_bytes(zstandard.compress("id,text\n1,قصف\n".encode()))
    assert fields(path) == [{"id": "1", "text": "قصف"}]


def test_parquet_keeps_numbers_and_writes_dates_as_text(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"id": [7], "text": ["قصف"], "date": [datetime.date(2021, 3, 4)]}), path)
    assert fields(path) == [{"id": 7, "text": "قصف", "date": "2021-03-04"}]


def test_a_folder_of_texts_is_read_in_the_order_of_the_names(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_bytes("غارة\r\n".encode())
    (tmp_path / "a.txt").write_text("قصف", "utf-8")
    assert fields(tmp_path) == [{"id": "a.txt", "text": "قصف"}, {"id": "sub/b.txt", "text": "غارة\r\n"}]


def test_standard_input_is_taken_for_what_it_begins_like(monkeypatch):
    class Standard:
        buffer = io.BufferedReader(io.BytesIO('[{"id": 1, "text": "قصف"}]'.encode()))

    monkeypatch.setattr("sys.stdin", Standard)
    assert fields("-") == [{"id": 1, "text": "قصف"}]


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"%PDF-1.7 x", "a PDF"), (b"PK\x03\x04abc", "a ZIP file"), ("قصف".encode("utf-16"), "UTF-16 text"), (b"hello", "'hello'")],
)
def test_another_kind_of_file_is_told_in_one_line(tmp_path, data, found):
    path = tmp_path / "thing"
    path.write_bytes(data)
    with pytest.raises(RecordError) as told:
        list(rows(path))
    assert f"found {found}" in str(told.value)
    assert "read are JSONL, a JSON array, CSV, TSV, Parquet" in str(told.value)
    assert "\n" not in str(told.value)


def test_csv_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,text\n1,قصف\n".encode("cp1256"))
    with pytest.raises(RecordError, match="is no UTF-8"):
        list(rows(path))


def test_a_table_is_read_by_batch_and_a_faulty_row_keeps_its_place(tmp_path, capsys):
    path, out = tmp_path / "a.csv", tmp_path / "out.jsonl"
    path.write_text("n,body\n1,قصف مدفعي على إدلب\n2\n", "utf-8")
    assert main(["batch", str(path), str(out), "--id-field", "n", "--text-field", "body"]) == 3
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert (lines[0]["id"], lines[0]["error"], lines[0]["windows"]) == ("1", None, 1)
    assert (lines[1]["id"], lines[1]["text"]) == ("row 2", None)
    assert lines[1]["fault"] == f"{path}:3: has 1 columns, expected 2 as in the first row"
    assert main(["batch", str(path), str(out), "--id-field", "n", "--text-field", "body"]) == 3
    assert '"written": 0' in capsys.readouterr().err.splitlines()[-1]


def test_batch_writes_an_array_as_a_stream(tmp_path, capfdbinary):
    path = tmp_path / "a.json"
    path.write_text('[{"id": 7, "text": "قصف مدفعي على إدلب"}]', "utf-8")
    assert main(["batch", str(path), "-"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["id"] == 7
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["a.jsonl", "a", "a.txt"])
def test_plain_jsonl_is_read_where_it_lies(tmp_path, name):
    path = tmp_path / name
    path.write_text('{"id": "1", "text": "قصف"}\n', "utf-8")
    with as_jsonl(str(path), str(tmp_path / "out.jsonl")) as source:
        assert source == str(path)
