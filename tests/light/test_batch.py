from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from waqia import ConfigError, Reader
from waqia.bulk.jsonl import run
from waqia.bulk.progress import state
from waqia.cli import main


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def rows_of(count):
    return [{"id": f"r-{n}", "date": "2024-01-01", "text": f"قصف مدفعي على البلدة رقم {n} مساء أمس."} for n in range(count)]


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_come_out_in_order_with_their_own_fields(tmp_path, reader):
    source = write(tmp_path / "in.jsonl", rows_of(5))
    run(source, tmp_path / "out.jsonl", reader)
    out = read(tmp_path / "out.jsonl")
    assert [{key: row[key] for key in ("id", "date", "text")} for row in out] == rows_of(5)
    assert all({"incidents", "windows", "truncated", "error"} <= row.keys() for row in out)


def test_the_day_of_a_row_dates_its_incidents_and_a_day_that_is_none_is_said(tmp_path, reader):
    rows = rows_of(1) + [
        {**row, "id": name, "date": date}
        for row in rows_of(1)
        for name, date in (("undated", None), ("year", "2024"), ("odd", "2024-02-30"))
    ]
    run(write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", reader)
    told, undated, year, odd = read(tmp_path / "out.jsonl")
    assert [incident["date"] for incident in told["incidents"]] == ["2023-12-31"]
    assert [["date" in incident for incident in row["incidents"]] for row in (undated, year)] == [[False], [False]]
    assert (odd["incidents"], "expected a day that exists" in odd["error"]) == ([], True)


def test_a_finished_batch_started_again_writes_nothing(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(5)), tmp_path / "out.jsonl"
    run(source, target, reader)
    before = target.read_bytes()
    assert run(source, target, reader).written == 0
    assert target.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 1, 7, 400, 1500])
def test_a_batch_cut_anywhere_goes_on_to_the_same_output(tmp_path, reader, kept):
    source, target = write(tmp_path / "in.jsonl", rows_of(6)), tmp_path / "out.jsonl"
    run(source, target, reader)
    whole = target.read_bytes()
    target.write_bytes(whole[:kept])
    run(source, target, reader)
    assert target.read_bytes() == whole


def test_a_killed_batch_goes_on_and_loses_and_repeats_nothing(tmp_path):
    source, target = write(tmp_path / "in.jsonl", rows_of(130)), tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "waqia", "batch", str(source), str(target), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (target.exists() and target.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert [row["id"] for row in read(target)] == [f"r-{n}" for n in range(130)]


def test_bad_rows_keep_their_place_and_say_why(tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    good = json.dumps(rows_of(1)[0])
    source.write_text("\n".join([good, "{broken", '{"id": null, "text": "x"}', '{"id": "n"}', good, '["list"]']) + "\n", "utf-8")
    assert main(["batch", str(source), str(tmp_path / "out.jsonl"), "--threads", "1"]) == 3
    out = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in out] == ["r-0", "line 2", "line 3", "n", "r-0", "line 6"]
    assert [row["error"] is None for row in out] == [True, False, False, False, False, False]
    assert "in.jsonl:2: no JSON" in out[1]["error"]
    assert "stands already in line 1" in out[4]["error"]


@pytest.mark.parametrize("bad", ["[" * 990, "[" * 100_000 + "]" * 100_000, '{"id": "x", "text": "y", "n": ' + "9" * 5000 + "}"])
def test_a_row_beyond_the_parser_is_an_error_and_the_next_is_read(tmp_path, reader, bad):
    source = tmp_path / "in.jsonl"
    source.write_text(bad + "\n" + json.dumps(rows_of(1)[0]) + "\n", "utf-8")
    run(source, tmp_path / "out.jsonl", reader)
    assert [row["error"] is None for row in read(tmp_path / "out.jsonl")] == [False, True]
    assert run(source, tmp_path / "out.jsonl", reader).written == 0


def test_a_line_longer_than_the_limit_is_an_error_and_the_next_is_read(tmp_path, reader, monkeypatch):
    monkeypatch.setattr("waqia.bulk.jsonl.LONGEST", 300)
    source = write(tmp_path / "in.jsonl", [{"id": "long", "text": "ق" * 1000}, *rows_of(1)])
    run(source, tmp_path / "out.jsonl", reader)
    first, second = read(tmp_path / "out.jsonl")
    assert "cut it into several rows" in first["error"]
    assert second["error"] is None


@pytest.mark.parametrize("said", ["7", "1.50", "true", '"7"', "123456789012345678901234567890"])
def test_an_id_of_any_json_scalar_is_kept_as_it_is_written(tmp_path, reader, said):
    (tmp_path / "in.jsonl").write_text(f'{{"id": {said}, "text": "x"}}\n', "utf-8")
    assert run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", reader).errors == 0
    assert (tmp_path / "out.jsonl").read_text("utf-8").startswith(f'{{"id": {said}, "text": "x", "incidents"')


def test_a_number_and_a_text_of_the_same_digits_are_two_ids(tmp_path, reader):
    assert run(write(tmp_path / "in.jsonl", [{"id": 7, "text": "x"}, {"id": "7", "text": "x"}]), tmp_path / "o", reader).errors == 0


def test_fields_come_out_as_they_are_written(tmp_path, reader):
    fields = '"id": "a", "text": "x", "lat": 33.513800000000000001, "e": 1E5, "z": -0, "s": "\\u0627\\ud83d", "deep": {"k": [1.0, 1.00]}'
    (tmp_path / "in.jsonl").write_text(f"{{{fields}}}\n", "utf-8")
    run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", reader)
    assert (tmp_path / "out.jsonl").read_text("utf-8").startswith(f'{{{fields}, "incidents"')


def test_fields_named_like_ours_are_kept_under_input(tmp_path, reader):
    theirs = {"id": "a", "text": "x", "incidents": ["theirs"], "error": 7, "input": "theirs"}
    run(write(tmp_path / "in.jsonl", [theirs]), tmp_path / "out.jsonl", reader)
    (row,) = read(tmp_path / "out.jsonl")
    assert row["input"] == {"incidents": ["theirs"], "error": 7, "input": "theirs"}
    assert (row["incidents"], row["error"]) == ([], None)


def test_a_field_that_stands_twice_is_an_error_of_its_row(tmp_path, reader):
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "x", "text": "y"}\n', "utf-8")
    run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", reader)
    assert "twice" in read(tmp_path / "out.jsonl")[0]["error"]


def test_the_output_of_another_input_is_not_touched(tmp_path, reader):
    first, second = write(tmp_path / "a.jsonl", rows_of(3)), write(tmp_path / "b.jsonl", [{"id": "other", "text": "قصف"}])
    run(first, tmp_path / "out.jsonl", reader)
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="is not of this job"):
        run(second, tmp_path / "out.jsonl", reader)
    assert (tmp_path / "out.jsonl").read_bytes() == before


@pytest.mark.parametrize("key", ["artefact", "backend", "waqia", "facts", "hijri", "screen", "at_least"])
def test_another_artefact_backend_or_version_does_not_go_on_though_its_model_has_the_same_name(tmp_path, reader, key, monkeypatch):
    source, target = write(tmp_path / "in.jsonl", rows_of(2)), tmp_path / "out.jsonl"
    run(source, target, reader)
    before = target.read_bytes()
    monkeypatch.setattr(Reader, "identity", {**reader.identity, key: "another"})
    with pytest.raises(ConfigError, match=f"was read with {key} .* now 'another'"):
        run(source, target, reader)
    assert target.read_bytes() == before


def test_rows_that_no_job_file_vouches_for_are_not_touched(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(2)), tmp_path / "out.jsonl"
    run(source, target, reader)
    (tmp_path / "out.jsonl.job.json").unlink()
    with pytest.raises(ConfigError, match=r"no out\.jsonl\.job\.json says who wrote it"):
        run(source, target, reader)


def test_the_input_is_never_its_own_output(tmp_path, reader):
    source = write(tmp_path / "in.jsonl", rows_of(1))
    source.write_bytes(source.read_bytes().rstrip(b"\n"))
    before = source.read_bytes()
    with pytest.raises(ConfigError, match="is the input itself"):
        run(source, source, reader)
    assert source.read_bytes() == before


def test_a_foreign_file_without_a_line_end_is_not_touched(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(1)), tmp_path / "notes.txt"
    target.write_bytes("ملاحظات".encode())
    with pytest.raises(ConfigError, match="is not of this job"):
        run(source, target, reader)
    assert target.read_bytes() == "ملاحظات".encode()


def test_a_mended_row_is_read_and_the_others_are_kept(tmp_path, reader):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    good = [json.dumps(row, ensure_ascii=False) for row in rows_of(6)]
    source.write_text("\n".join([*good[:2], "{broken", *good[3:]]) + "\n", "utf-8")
    run(source, target, reader)
    source.write_text("\n".join(good) + "\n", "utf-8")
    outcome = run(source, target, reader)
    assert (outcome.before, outcome.written, outcome.errors) == (5, 1, 0)
    run(source, tmp_path / "fresh.jsonl", reader)
    assert target.read_bytes() == (tmp_path / "fresh.jsonl").read_bytes()


def test_a_text_that_changed_under_the_same_id_is_read_again(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(3)), tmp_path / "out.jsonl"
    run(source, target, reader)
    write(source, [{**rows_of(3)[0], "text": "احتجاجات في البصرة"}, *rows_of(3)[1:]])
    assert run(source, target, reader).written == 1
    run(source, tmp_path / "fresh.jsonl", reader)
    assert target.read_bytes() == (tmp_path / "fresh.jsonl").read_bytes()


def test_a_row_of_the_output_that_was_damaged_is_read_again(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(3)), tmp_path / "out.jsonl"
    run(source, target, reader)
    whole = target.read_bytes()
    target.write_bytes(whole.replace(b'"start": 0', b'"start": 1', 1))
    assert target.read_bytes() != whole
    assert run(source, target, reader).written == 1
    assert target.read_bytes() == whole


def test_a_reading_whose_row_is_gone_from_the_input_is_not_thrown_away(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(3)), tmp_path / "out.jsonl"
    run(source, target, reader)
    before = target.read_bytes()
    write(source, rows_of(3)[1:])
    with pytest.raises(ConfigError, match='holds a reading of id "r-0"'):
        run(source, target, reader)
    assert target.read_bytes() == before


def test_a_missing_input_leaves_no_output(tmp_path, reader):
    with pytest.raises(FileNotFoundError):
        run(tmp_path / "gone.jsonl", tmp_path / "out.jsonl", reader)
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_the_output_and_its_job_file_stays(tmp_path, reader):
    run(write(tmp_path / "in.jsonl", rows_of(2)), tmp_path / "out.jsonl", reader)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "out.jsonl.job.json"]


def test_progress_tells_rate_share_and_time_left():
    assert state(120, 100, 400, 300, 1000, 10.0) == "120 rows, 10.0 a second, 40 %, 0:20 left"
    assert state(120, 100, 400, 300, 0, 10.0) == "120 rows, 10.0 a second"


def test_errors_of_an_earlier_start_still_decide_the_exit_code(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("{broken\n", "utf-8")
    codes = [main(["batch", str(source), str(tmp_path / "out.jsonl"), "--threads", "1"]) for _ in range(2)]
    assert codes == [3, 3]


def test_once_the_first_of_two_rows_with_an_id_is_gone_the_other_is_read(tmp_path, reader):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = ['{"id": "a", "text": "قصف"}\n', '{"id": "a", "text": "مظاهرة"}\n', '{"id": "b", "text": "اشتباك"}\n']
    source.write_text("".join(rows), "utf-8")
    assert run(source, target, reader).errors == 1
    source.write_text("".join(rows[1:]), "utf-8")
    assert run(source, target, reader).errors == 0
    found = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [(row["text"], row["error"]) for row in found] == [("مظاهرة", None), ("اشتباك", None)]
