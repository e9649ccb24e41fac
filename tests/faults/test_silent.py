"""Nothing is sent and nothing is written elsewhere: a process in an empty home folder, watched with strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from waqia import Reader

SWITCHES = ("ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED", "CI", "TF_BUILD", "JENKINS_URL")
TEXT = "قتل ثلاثة مدنيين في قصف مدفعي على مدينة إدلب مساء أمس."
BEYOND = re.compile(r"sa_family=AF_INET6?\b")
OPENED = r'(?:open|openat|creat)\((?:[^,"]*, )?"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)'
WROTE = re.compile(OPENED + r'|(?:mkdir|mkdirat)\((?:[^,"]*, )?"([^"]*)"')


def watched(folder: Path, command: list[str], **environment: str) -> tuple[set[str], list[str]]:
    """Paths that a command opened for writing or made, without devices and /proc, and its calls that name an internet address."""
    if shutil.which("strace") is None:
        pytest.skip("strace shows what a process does beyond Python: apt-get install strace")
    home, trace = folder / "home", folder / "trace"
    home.mkdir()
    clean = {key: value for key, value in os.environ.items() if key not in SWITCHES and not key.startswith(("XDG_", "HF_"))}
    clean |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    calls = "trace=openat,open,creat,mkdir,mkdirat,socket,connect,sendto,sendmsg,bind"
    strace = ["strace", "-f", "-qq", "-s", "300", "-e", calls, "-o", str(trace)]
    done = subprocess.run([*strace, *command], env=clean, capture_output=True, text=True, timeout=300)
    if "PTRACE" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text("utf-8", "replace").splitlines()
    paths = {a or b for line in lines if " = -1 " not in line for a, b in WROTE.findall(line)}
    written = {path for path in paths if not path.startswith(("/dev/", "/proc/"))}
    return written | {str(path) for path in home.rglob("*")}, [line for line in lines if BEYOND.search(line) or "socket(AF_INET" in line]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_reading_writes_nothing_and_opens_no_internet_socket(tmp_path, backend):
    pytest.importorskip(backend)
    article = tmp_path / "a.txt"
    article.write_text(TEXT, "utf-8")
    command = [sys.executable, "-m", "waqia", "read", str(article), "--backend", backend]
    assert watched(tmp_path, command) == (set(), [])


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_batch_writes_its_output_alone_and_opens_no_internet_socket(tmp_path, backend):
    pytest.importorskip(backend)
    (tmp_path / "in.jsonl").write_text(f'{{"id": "a", "text": "{TEXT}"}}\n', "utf-8")
    target = str(tmp_path / "out.jsonl")
    command = [sys.executable, "-m", "waqia", "batch", str(tmp_path / "in.jsonl"), target, "--threads", "1", "--backend", backend]
    written, sockets = watched(tmp_path, command)
    assert written == {target, f"{target}.lock", f"{target}.job.json.part"}
    assert sockets == []


def test_scoring_sends_nothing_and_writes_nothing_in_the_home_folder(tmp_path, root):
    command = [sys.executable, "-m", "eval.score", str(root / "data/dev.jsonl"), str(root / "data/dev.jsonl")]
    written, sockets = watched(tmp_path, command, HF_HUB_OFFLINE="1", PYTHONPATH=f"{root / 'src'}:{root}")
    assert sockets == []
    assert not [path for path in written if path.startswith(str(tmp_path / "home"))]


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_a_users_own_choice_about_telemetry_holds(monkeypatch, chosen, expected):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if chosen is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", chosen)
    Reader.load(threads=1)  # the runtime was imported long before: nothing is sent here
    assert os.environ["ORT_DISABLE_TELEMETRY"] == expected
