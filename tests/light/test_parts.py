"""What a job over Parquet keeps and reads again: the rules of a restart, without Ray."""

from __future__ import annotations

import json

import numpy as np
import pytest

from waqia import ConfigError

NEEDS = "Parquet needs pip install 'waqia[files]'"
pa, parquet = (pytest.importorskip(name, reason=NEEDS) for name in ("pyarrow", "pyarrow.parquet"))

from waqia.bulk import parts  # noqa: E402
from waqia.bulk.parts import DIGEST, FAULT, KEY, PLACE, PROOF, Index  # noqa: E402


def jsonl(path, *rows):
    """A file of rows, objects or raw lines."""
    path.write_bytes(b"".join((row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode()) + b"\n" for row in rows))
    return path


def rows_of(*paths):
    """The rows of files as a job sees them, and their index."""
    names = [str(path) for path in paths]
    kind = names[0].rpartition(".")[2]
    read = parts.lines if kind == "jsonl" else parts.groups
    ranges = parts.ranges_of(names, pa.fs.LocalFileSystem(), kind)
    tables = [read(pa.Table.from_pylist([one])) for one in ranges]
    return pa.concat_tables(tables, promote_options="default"), Index.of(tables, lambda place: parts.where(names, place))


def output(folder, rows, digests, name="a", errors=()):
    """A part of the output with readings of these rows."""
    folder.mkdir(exist_ok=True)
    said = ["bad" if n in errors else None for n in range(len(rows))]
    columns = {"id": rows["id"], "model": ["m"] * len(rows), "error": pa.array(said, pa.string()), DIGEST: pa.array(digests, pa.binary(16))}
    table = pa.table(columns)
    table = table.append_column(PROOF, pa.array(parts.proofs(table), pa.binary(16)))
    parquet.write_table(table, folder / f"{name}.parquet", write_page_checksum=True)


def settled(folder, index, same_input=True):
    paths, system = parts.parts_of(str(folder))
    return parts.settle(str(folder), system, [parts.part(path, system) for path in paths], index, same_input=same_input)


def ids(folder):
    return sorted(row for path in folder.glob("*.parquet") for row in parquet.read_table(path)["id"].to_pylist())


THREE = [{"id": "a", "text": "قصف"}, {"id": "b", "text": "اشتباك"}, {"id": "c", "text": "مظاهرة"}]


def test_rows_that_stand_in_the_output_are_not_read_again(tmp_path):
    rows, index = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    output(tmp_path / "out", rows.slice(0, 2), rows[DIGEST].to_pylist()[:2], errors=[1])
    found = settled(tmp_path / "out", index)
    assert found.done.tolist() == rows[PLACE].to_pylist()[:2]
    assert found.errors == 1


def test_a_text_that_changed_under_its_id_is_read_again_and_its_old_reading_dropped(tmp_path):
    rows, _ = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    output(tmp_path / "out", rows, rows[DIGEST].to_pylist())
    changed, index = rows_of(jsonl(tmp_path / "in.jsonl", THREE[0], {"id": "b", "text": "اشتباك عنيف"}, THREE[2]))
    assert settled(tmp_path / "out", index).done.tolist() == [changed[PLACE][n].as_py() for n in (0, 2)]
    assert ids(tmp_path / "out") == ["a", "c"]
    assert not list((tmp_path / "out").glob("*.part"))


def test_a_row_that_stands_twice_in_the_output_stays_once(tmp_path):
    rows, index = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    for name in "xy":
        output(tmp_path / "out", rows, rows[DIGEST].to_pylist(), name)
    assert len(settled(tmp_path / "out", index).done) == 3
    assert ids(tmp_path / "out") == ["a", "b", "c"]


@pytest.mark.parametrize("same_input", [True, False])
def test_a_reading_that_would_be_lost_is_refused_and_nothing_is_touched(tmp_path, same_input):
    rows, _ = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    output(tmp_path / "out", rows, rows[DIGEST].to_pylist())
    other = [{"id": "b", "text": "x"}] if same_input else [{**THREE[0], "text": "x"}, *THREE[1:]]  # in another input an id says nothing
    _, index = rows_of(jsonl(tmp_path / "in.jsonl", *other))
    before = (tmp_path / "out/a.parquet").read_bytes()
    with pytest.raises(ConfigError, match="readings of rows that are not in this input"):
        settled(tmp_path / "out", index, same_input)
    assert (tmp_path / "out/a.parquet").read_bytes() == before


def test_an_error_whose_row_is_gone_is_dropped(tmp_path):
    rows, _ = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    output(tmp_path / "out", rows, rows[DIGEST].to_pylist(), errors=[1])
    _, index = rows_of(jsonl(tmp_path / "in.jsonl", THREE[0], THREE[2]))
    assert len(settled(tmp_path / "out", index).done) == 2
    assert ids(tmp_path / "out") == ["a", "c"]


def test_a_flipped_bit_is_seen_or_changes_nothing_and_the_damaged_part_is_set_aside(tmp_path):
    rows, index = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    output(tmp_path / "out", rows, rows[DIGEST].to_pylist())
    path, system = tmp_path / "out/a.parquet", pa.fs.LocalFileSystem()
    whole, before = path.read_bytes(), parquet.read_table(path)
    seen = []
    for place in range(4, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            found = parts.part(str(path), system).rows
        except ConfigError:  # the name of a column
            found = None
        seen.append(found is None)
        assert found is None or parquet.read_table(path).cast(before.schema).to_pylist() == before.to_pylist()
    assert sum(seen) > 50
    for cut in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert parts.part(str(path), system).rows is None
    assert settled(tmp_path / "out", index).done.tolist() == []
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["a.parquet.damaged"]


def test_a_row_that_was_changed_in_the_output_is_seen(tmp_path):
    rows, index = rows_of(jsonl(tmp_path / "in.jsonl", *THREE))
    output(tmp_path / "out", rows, rows[DIGEST].to_pylist())
    table = parquet.read_table(tmp_path / "out/a.parquet")
    changed = table.set_column(1, "model", pa.array(["m", "another", "m"]))
    parquet.write_table(changed, tmp_path / "out/a.parquet")
    assert settled(tmp_path / "out", index).done.tolist() == []


def test_the_proof_of_a_row_does_not_change_with_columns_that_other_files_have(tmp_path):
    rows = pa.table({"id": ["a"], "input": [{"x": 1}]})
    wider = pa.table({"id": ["a"], "input": [{"x": 1, "y": None}], "other": pa.nulls(1)})
    assert parts.proofs(rows) == parts.proofs(wider)
    assert parts.proofs(rows) != parts.proofs(pa.table({"id": ["b"], "input": [{"x": 1}]}))


def test_of_rows_with_one_id_the_first_is_read_and_the_others_say_where_it_stands(tmp_path):
    one, two = jsonl(tmp_path / "1.jsonl", THREE[0], THREE[1]), jsonl(tmp_path / "2.jsonl", {"id": "a", "text": "آخر"}, THREE[0])
    rows, index = rows_of(one, two)
    assert index.repeated.tolist() == rows[PLACE].to_pylist()[2:]
    assert index.firsts.tolist() == [0, 0]
    assert index.digests[0] != index.digests[3]  # the same row, which is read once
    own = [bytes(digest).ljust(16, b"\0") for digest in rows[DIGEST].to_pylist()]
    assert parts.repeated_digest(own[3], f"{one}:0") == bytes(index.digests[3]).ljust(16, b"\0")


def test_once_the_first_of_two_rows_with_an_id_is_gone_the_other_is_read(tmp_path):
    _, index = rows_of(jsonl(tmp_path / "in.jsonl", THREE[0], {"id": "a", "text": "آخر"}))
    rows, _ = rows_of(tmp_path / "in.jsonl")
    output(tmp_path / "out", rows, [bytes(digest).ljust(16, b"\0") for digest in index.digests], errors=[1])
    assert len(settled(tmp_path / "out", index).done) == 2
    _, alone = rows_of(jsonl(tmp_path / "in.jsonl", {"id": "a", "text": "آخر"}))
    assert settled(tmp_path / "out", alone).done.tolist() == []


def test_a_part_of_something_else_is_refused(tmp_path):
    parquet.write_table(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match="is not of this job"):
        parts.part(str(tmp_path / "a.parquet"), pa.fs.LocalFileSystem())


def test_columns_named_like_ours_are_kept_in_input(tmp_path):
    columns = {"id": ["a"], "text": ["قصف"], "types": [[1, 2]], DIGEST: ["mine"], "input": [7], "year": [2024]}
    parquet.write_table(pa.table(columns), tmp_path / "in.parquet")
    rows, _ = rows_of(tmp_path / "in.parquet")
    assert rows["input"].to_pylist() == [{"types": [1, 2], DIGEST: "mine", "input": 7}]
    assert [name for name in rows.column_names if not name.startswith("waqia.")] == ["id", "text", "year", "input", DIGEST]


def test_fields_of_a_line_stay_as_they_are_written(tmp_path):
    line = '{"id": 1.50, "text": "قصف", "n": 12345678901234567890.10, "error": "mine", "incidents": [1]}'.encode()
    rows, _ = rows_of(jsonl(tmp_path / "in.jsonl", line))
    assert rows["id"].to_pylist() == ["1.50"]
    assert rows["fields"].to_pylist() == ['{"id": 1.50, "n": 12345678901234567890.10, "error": "mine", "incidents": [1]}']


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"id": "", "text": "x"}', "id is '', expected text that is not empty, or a number"),
        (b'{"id": "a", "text": 5}', "text is 5, expected text"),
        (b'{"id": "a"}', "text is None, expected text"),
        (b'{"id": "a", "text": "\\ud83d"}', "half a character"),
        (b'{"id": "\\ud83d", "text": "x"}', "id is '\\ud83d', expected"),
        (b'{"id": "a", "id": "b", "text": "x"}', "stands twice"),
        (b"[1]", "found list, expected an object with id and text"),
        (b"{", "no JSON"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_loses_nothing(tmp_path, line, fault):
    rows, index = rows_of(jsonl(tmp_path / "in.jsonl", line, THREE[0]))
    assert rows[FAULT][0].as_py().startswith(f"{tmp_path / 'in.jsonl'}:0: ")
    assert fault in rows[FAULT][0].as_py()
    assert rows["id"].to_pylist()[1] == "a"
    assert rows[KEY][0].as_py() == b""
    assert index.repeated.tolist() == []
    if line.startswith(b'{"id": "a", "text"'):
        assert json.loads(rows["fields"][0].as_py())["text"] == json.loads(line)["text"]


def test_a_line_that_is_far_too_long_is_an_error_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "LONGEST", 64)
    rows, _ = rows_of(jsonl(tmp_path / "in.jsonl", {"id": "long", "text": "x" * 500}, THREE[0]))
    assert rows["id"].to_pylist()[1:] == ["a"]
    assert "the line has more than" in rows[FAULT][0].as_py()


def test_each_row_of_the_output_pairs_with_one_of_the_input():
    expected, written = (np.array(list(codes), "S16") for codes in ("aab", "abbc"))
    done, kept = parts.matched(expected, written)
    assert done.tolist() == [True, False, True]
    assert kept.tolist() == [True, True, False, False]


def test_damaged_parquet_and_parquet_without_texts_are_refused(tmp_path):
    (tmp_path / "in.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ConfigError, match="is no whole Parquet"):
        rows_of(tmp_path / "in.parquet")
    parquet.write_table(pa.table({"id": ["a"], "body": ["b"]}), tmp_path / "in.parquet")
    with pytest.raises(ConfigError, match="no column text"):
        rows_of(tmp_path / "in.parquet")
