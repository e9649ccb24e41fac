"""`waqia batch` killed at random moments and started again ends with the bytes of an undisturbed run.

WAQIA_KILLS=500 runs as many by hand; the seed is in the name of each case.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from waqia import Reader
from waqia.bulk.jsonl import run

KILLS = int(os.environ.get("WAQIA_KILLS", "4"))
ROWS = 200


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The input, the bytes of an undisturbed output, and how long a start takes before the first row."""
    folder = tmp_path_factory.mktemp("kills")
    rows = [{"id": n, "text": f"قصف مدفعي على البلدة رقم {n} مساء أمس. " * (1 + n % 3)} for n in range(ROWS)]
    rows[50] = {"id": "bad"}
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    run(source, folder / "undisturbed.jsonl", Reader.load(threads=1))
    return source, (folder / "undisturbed.jsonl").read_bytes()


def kill_once(command, target, chance) -> bool:
    """Start the job and kill it: before it writes, or at a random moment of its writing; whether it was still alive."""
    before = target.stat().st_size if target.exists() else 0
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 1))
    else:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not (target.exists() and target.stat().st_size > before):
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.3))
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return alive


@pytest.mark.parametrize("seed", range(max(1, KILLS // 2)))
def test_a_job_killed_twice_at_random_ends_with_the_bytes_of_an_undisturbed_one(job, tmp_path, seed):
    source, undisturbed = job
    target, chance = tmp_path / "out.jsonl", random.Random(seed)
    command = [sys.executable, "-m", "waqia", "batch", str(source), str(target), "--threads", "1"]
    killed = sum(kill_once(command, target, chance) for _ in range(2))
    assert killed
    assert undisturbed.startswith(target.read_bytes() if target.exists() else b"")
    assert subprocess.run(command, capture_output=True).returncode == 3  # one row has no text
    assert target.read_bytes() == undisturbed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.job.json"]


def test_a_job_killed_while_it_mends_ends_with_the_bytes_of_an_undisturbed_one(job, tmp_path):
    source, _ = job
    mended, target, chance = tmp_path / "in.jsonl", tmp_path / "out.jsonl", random.Random(7)
    mended.write_bytes(source.read_bytes())
    reader = Reader.load(threads=1)
    run(mended, target, reader)
    lines = mended.read_text("utf-8").splitlines()
    for place in range(0, ROWS - 1, 2):
        lines[place] = json.dumps({"id": json.loads(lines[place])["id"], "text": "احتجاجات في البصرة"}, ensure_ascii=False)
    mended.write_text("\n".join(lines) + "\n", "utf-8")
    command = [sys.executable, "-m", "waqia", "batch", str(mended), str(target), "--threads", "1"]
    process, partial = subprocess.Popen(command, stderr=subprocess.DEVNULL), tmp_path / "out.jsonl.part"
    while process.poll() is None and not (partial.exists() and partial.stat().st_size):
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.05))
    process.kill()
    process.wait()
    subprocess.run(command, capture_output=True)
    run(mended, tmp_path / "fresh.jsonl", reader)
    assert target.read_bytes() == (tmp_path / "fresh.jsonl").read_bytes()
