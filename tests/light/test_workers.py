from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from tests.light.fragile import DEADLY, load_fragile
from waqia import ConfigError, Reader, WaqiaError
from waqia.bulk import workers
from waqia.bulk.jsonl import run
from waqia.bulk.workers import Said, opened
from waqia.cli import main


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch):
    """Groups of three texts, so that few texts keep several processes busy."""
    monkeypatch.setattr("waqia.reader.LOOK_AHEAD", 3)


def texts(count):
    return [(f"قصف مدفعي على البلدة رقم {n} مساء أمس. " * (1 + n % 4), "2024-01-02") for n in range(count)]


def write(path, count):
    rows = [{"id": n, "text": text, "date": date} for n, (text, date) in enumerate(texts(count))]
    rows[count // 2] = {"id": "bad"}
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("count", [0, 1, 20])
def test_several_processes_answer_in_order_what_one_reads(reader, count):
    with opened(reader, 2) as many:
        found = list(many(texts(count)))
    assert found == [Said.of(reading) for reading in reader.read_many(texts(count))]


def test_the_output_has_the_same_bytes_for_any_number_of_workers(tmp_path, reader):
    source = write(tmp_path / "in.jsonl", 20)
    outcomes = [run(source, tmp_path / f"{n}.jsonl", reader, workers=n) for n in (1, 3)]
    assert (tmp_path / "3.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()
    assert outcomes[0] == outcomes[1]


def test_a_job_begun_by_one_worker_goes_on_with_two(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", 20), tmp_path / "out.jsonl"
    run(source, target, reader)
    whole = target.read_bytes()
    target.write_bytes(whole[: len(whole) // 2])
    assert 0 < run(source, target, reader, workers=2).written < 20
    assert target.read_bytes() == whole


def test_rows_of_a_process_that_is_killed_are_read_by_another(reader, monkeypatch, caplog):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *args, **options: started.append(popen(*args, **options)) or started[-1])
    with opened(reader, 2) as many:
        stream = many(texts(24))
        found = list(islice(stream, 4))
        for process in started[:2]:
            os.kill(process.pid, signal.SIGKILL)
        found += stream
    assert found == [Said.of(reading) for reading in reader.read_many(texts(24))]
    assert len(started) >= 4
    assert "a reading process died (SIGKILL)" in caplog.text


class FragileCopy:
    """Pickled as what it stands for, so that only the processes hold a Fragile."""

    def __init__(self, reader):
        self.labels, self.model = reader.labels, reader.model

    def __reduce__(self):
        return load_fragile, ()


def test_a_text_that_processes_die_of_is_an_error_and_its_neighbours_are_read(reader, monkeypatch, root):
    monkeypatch.setenv("PYTHONPATH", str(root))
    items = texts(8)
    items[4] = (DEADLY, None)
    with opened(FragileCopy(reader), 2) as many:
        found = list(many(items))
    assert [said.error is None for said in found] == [n != 4 for n in range(8)]
    assert found[4].error == "a reading process died (exit code 7) while it read this text, and so did another"
    assert [said for n, said in enumerate(found) if n != 4] == [
        Said.of(reading) for n, reading in enumerate(reader.read_many(texts(8))) if n != 4
    ]


class NoReader:
    def __reduce__(self):
        return Reader.load, ("no-such-artefact",)


class Crash:
    def __reduce__(self):
        return os._exit, (3,)


def test_processes_that_cannot_open_the_artefact_end_the_job_with_its_reason():
    with opened(NoReader(), 2) as many, pytest.raises(WaqiaError, match=r"no-such-artefact: no manifest\.json"):
        list(many(texts(3)))


def test_a_process_that_dies_before_it_reads_ends_the_job():
    with opened(Crash(), 2) as many, pytest.raises(WaqiaError, match=r"died \(exit code 3\) before it could read"):
        list(many(texts(3)))


def test_a_stream_that_breaks_gives_all_that_it_had_and_then_its_fault(reader):
    def stream():
        yield from texts(7)
        raise OSError("the disk is gone")

    found = []
    with opened(reader, 2) as many, pytest.raises(OSError, match="the disk is gone"):
        found.extend(iter(many(stream())))  # extend keeps what came before the fault
    assert len(found) == 7


def test_nothing_runs_on_when_the_job_is_given_up(reader, monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *args, **options: started.append(popen(*args, **options)) or started[-1])
    with opened(reader, 2) as many:
        next(many(texts(100)))
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def children(pid):
    """The processes whose parent this is."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may just have ended
            if int((place / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(place.name))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
def test_a_killed_job_leaves_no_process_and_goes_on_to_the_same_bytes(tmp_path, reader):
    source, target = write(tmp_path / "in.jsonl", 100), tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "waqia", "batch", str(source), str(target), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (target.exists() and target.stat().st_size) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    workers_of = children(process.pid)
    process.kill()
    process.wait()
    assert len(workers_of) == 2
    while any(os.path.exists(f"/proc/{pid}") for pid in workers_of) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers_of)
    assert subprocess.run(command, capture_output=True).returncode == 3  # one row has no text
    run(source, tmp_path / "one.jsonl", reader)
    assert target.read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.jsonl", "out.jsonl.job.json"]


@pytest.mark.parametrize("number", [0, -1, 257])
def test_an_impossible_number_of_workers_is_refused(reader, number):
    with pytest.raises(ConfigError, match=f"workers is {number}, expected 1 to 256"), opened(reader, number):
        pass


def test_ray_and_workers_exclude_each_other(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["batch", "in", "out", "--ray", "2", "--workers", "2"])
    assert "give one of --ray and --workers" in capsys.readouterr().err
