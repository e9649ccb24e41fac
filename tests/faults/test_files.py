"""Full disks, short writes, two writers, pipes, and closed standard files: a row is whole or absent, and a message names the file."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading

import pytest

from waqia import ConfigError, Reader
from waqia.bulk.jsonl import run

BATCH = [sys.executable, "-m", "waqia", "batch"]


@pytest.fixture(scope="module")
def reader():
    return Reader.load(threads=1)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    rows = [{"id": f"r-{n}", "text": f"قصف مدفعي على البلدة رقم {n} مساء أمس."} for n in range(30)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def whole(tmp_path, source, reader):
    """The output of an undisturbed run."""
    run(source, tmp_path / "undisturbed.jsonl", reader)
    return (tmp_path / "undisturbed.jsonl").read_bytes()


def test_where_a_file_may_not_grow_every_row_is_whole_and_the_file_is_named(tmp_path, source, whole):
    target = tmp_path / "out.jsonl"
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *BATCH, str(source), str(target), "--threads", "1"]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{target}: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    kept = target.read_bytes()
    assert kept
    assert kept.endswith(b"\n")
    assert whole.startswith(kept)
    assert subprocess.run([*BATCH, str(source), str(target), "--threads", "1"], capture_output=True).returncode == 0
    assert target.read_bytes() == whole


def test_on_a_full_disk_every_row_is_whole_and_the_job_goes_on_once_there_is_room(tmp_path, source, whole):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small file system needs the right to mount one")
    try:
        target = disk / "out.jsonl"
        done = subprocess.run([*BATCH, str(source), str(target), "--threads", "1"], capture_output=True, text=True)
        assert done.returncode == 1
        assert "out.jsonl: No space left on device" in done.stderr
        kept = target.read_bytes()
        assert kept.endswith(b"\n")
        assert whole.startswith(kept)
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        assert subprocess.run([*BATCH, str(source), str(target), "--threads", "1"], capture_output=True).returncode == 0
        assert target.read_bytes() == whole
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_device_that_is_full_is_named_and_does_not_hang(source):
    done = subprocess.run([*BATCH, str(source), "/dev/full", "--threads", "1"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "/dev/full: No space left on device" in done.stderr


def test_a_second_writer_is_told_who_writes_and_changes_nothing(tmp_path, source, reader):
    target = tmp_path / "out.jsonl"
    with open(tmp_path / "out.jsonl.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("process 77 on here")
        lock.flush()
        with pytest.raises(ConfigError, match="process 77 on here is writing it") as refused:
            run(source, target, reader)
    assert refused.value.exit_code == 2
    assert not target.exists()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, source, whole, reader):
    (tmp_path / "out.jsonl.lock").write_text("process 77 on here")
    run(source, tmp_path / "out.jsonl", reader)
    assert (tmp_path / "out.jsonl").read_bytes() == whole
    assert not (tmp_path / "out.jsonl.lock").exists()


def test_two_runs_at_once_write_every_row_once(tmp_path, source, whole):
    command = [*BATCH, str(source), str(tmp_path / "out.jsonl"), "--threads", "1"]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert {process.wait() for process in both} <= {0, 2}
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_a_named_pipe_is_written_as_a_stream(tmp_path, source, whole, reader):
    os.mkfifo(tmp_path / "pipe")
    taken = []
    other = threading.Thread(target=lambda: taken.append((tmp_path / "pipe").read_bytes()))
    other.start()
    run(source, tmp_path / "pipe", reader)
    other.join(30)
    assert taken == [whole]
    assert not list(tmp_path.glob("pipe.*"))


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_rows_go_from_standard_input_to_standard_output(source, whole, name):
    done = subprocess.run([*BATCH, "-", name, "--threads", "1"], input=source.read_bytes(), capture_output=True)
    assert done.returncode == 0
    assert done.stdout == whole


@pytest.mark.parametrize(
    ("closed", "said"),
    [("batch - - <&-", "standard input is closed"), ("batch {source} - >&-", "output is closed"), ("read - <&-", "input is closed")],
)
def test_a_closed_standard_file_is_a_message(source, closed, said):
    shell = f"exec {sys.executable} -m waqia {closed.format(source=source)}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.returncode in (2, 3)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_messages_of_a_closed_standard_error_do_not_end_in_the_output(tmp_path, source, whole):
    target = tmp_path / "out.jsonl"
    shell = f"exec {sys.executable} -m waqia batch {source} {target} --threads 1 2>&- >&-"
    assert subprocess.run(["bash", "-c", shell]).returncode == 0
    assert target.read_bytes() == whole


def test_what_could_steer_a_terminal_is_not_shown(tmp_path):
    article = tmp_path / "a\033[31m.txt"
    article.write_text("قصف مدفعي\u009b31m على \u202eحلب", "utf-8")
    for form in ("text", "json"):
        done = subprocess.run([sys.executable, "-m", "waqia", "read", str(article), "--format", form], capture_output=True, text=True)
        assert not {"\033", "\u009b"} & set(done.stdout)
    done = subprocess.run([sys.executable, "-m", "waqia", "read", str(tmp_path / "gone\033[31m")], capture_output=True, text=True)
    assert "gone" in done.stderr
    assert "\033" not in done.stderr


def test_far_too_many_threads_are_refused(source, tmp_path):
    done = subprocess.run([*BATCH, str(source), str(tmp_path / "o"), "--threads", "100000"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "threads is 100000, expected 1 to 256" in done.stderr
