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
from waqia.cli import main


@pytest.fixture(scope="module")
def reader():
    return Reader.load(threads=1)


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
    source, target = write(tmp_path / "in.jsonl", rows_of(600)), tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "waqia", "batch", str(source), str(target), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (target.exists() and target.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert [row["id"] for row in read(target)] == [f"r-{n}" for n in range(600)]


def test_bad_rows_keep_their_place_and_say_why(tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    good = json.dumps(rows_of(1)[0])
    source.write_text("\n".join([good, "{broken", '{"id": 7, "text": "x"}', '{"id": "n"}', good, '["list"]']) + "\n", "utf-8")
    assert main(["batch", str(source), str(tmp_path / "out.jsonl"), "--threads", "1"]) == 3
    out = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in out] == ["r-0", "line 2", "line 3", "n", "r-0", "line 6"]
    assert [row["error"] is None for row in out] == [True, False, False, False, False, False]
    assert "in.jsonl:2: no JSON" in out[1]["error"]
    assert "stands already in line 1" in out[4]["error"]
    assert '"errors": 5' in capsys.readouterr().err


def test_the_output_of_another_input_is_not_touched(tmp_path, reader):
    first, second = write(tmp_path / "a.jsonl", rows_of(3)), write(tmp_path / "b.jsonl", [{"id": "other", "text": "قصف"}])
    run(first, tmp_path / "out.jsonl", reader)
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="is not of this job"):
        run(second, tmp_path / "out.jsonl", reader)
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_the_output_of_another_model_is_not_touched(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(2)), tmp_path / "out.jsonl"
    run(source, target, reader)
    write(target, [{**row, "model": "another"} for row in read(target)])
    with pytest.raises(ConfigError, match=r"as .* reads it"):
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


def test_a_text_that_changed_under_the_same_id_is_noticed(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", rows_of(2)), tmp_path / "out.jsonl"
    run(source, target, reader)
    write(source, [{**rows_of(2)[0], "text": "نص آخر"}, rows_of(2)[1]])
    with pytest.raises(ConfigError, match="is not of this job"):
        run(source, target, reader)


def test_errors_of_an_earlier_start_still_decide_the_exit_code(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("{broken\n", "utf-8")
    codes = [main(["batch", str(source), str(tmp_path / "out.jsonl"), "--threads", "1"]) for _ in range(2)]
    assert codes == [3, 3]
