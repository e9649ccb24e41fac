"""Nothing is sent and nothing is written elsewhere: a process in an empty home folder, watched with strace.

`apt-get install strace`; where there is none, or it is not allowed, these tests are skipped and say so.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from waqia import Reader

SWITCHES = ("ORT_DISABLE_TELEMETRY", "RAY_USAGE_STATS_ENABLED", "CI", "TF_BUILD", "JENKINS_URL")
TEXT = "قتل ثلاثة مدنيين في قصف مدفعي على مدينة إدلب مساء أمس."
ADDRESS = re.compile(r'sa_family=AF_INET6?\b.*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]*)"')
OPENED = r'(?:open|openat|creat)\((?:[^,"]*, )?"([^"]*)", [^)]*(?:O_WRONLY|O_RDWR|O_CREAT)'
WROTE = re.compile(OPENED + r'|(?:mkdir|mkdirat)\((?:[^,"]*, )?"([^"]*)"')


def watched(folder: Path, command: list[str], *, seconds: int = 300, **environment: str) -> tuple[set[str], list[str]]:
    """Paths that a command opened for writing or made, without devices and /proc, and its calls that name an internet address."""
    if shutil.which("strace") is None:
        pytest.skip("strace shows what a process does beyond Python: apt-get install strace")
    home, trace = folder / "home", folder / "trace"
    home.mkdir()
    clean = {key: value for key, value in os.environ.items() if key not in SWITCHES and not key.startswith(("XDG_", "HF_", "MPL"))}
    clean |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    calls = "trace=openat,open,creat,mkdir,mkdirat,socket,connect,sendto,sendmsg,bind"
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "300", "-e", calls, "-o", str(trace)]  # other calls are not stopped at
    done = subprocess.run([*strace, *command], env=clean, capture_output=True, text=True, timeout=seconds)
    if "PTRACE" in done.stderr:
        pytest.skip("strace is not allowed here")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text("utf-8", "replace").splitlines()
    paths = {a or b for line in lines if " = -1 " not in line for a, b in WROTE.findall(line)}
    written = {path for path in paths if not path.startswith(("/dev/", "/proc/"))}
    return written | {str(path) for path in home.rglob("*")}, [line for line in lines if ADDRESS.search(line) or "socket(AF_INET" in line]


def elsewhere(paths: set[str], *folders: Path) -> list[str]:
    """The absolute paths of files that lie in none of the folders."""
    return sorted(path for path in paths if not any(Path(path).is_relative_to(folder) for folder in folders))


def addresses(calls: list[str]) -> set[str]:
    """The internet addresses that calls name."""
    return {found[1] for call in calls if (found := ADDRESS.search(call))}


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


@pytest.mark.slow
def test_ray_writes_its_output_and_its_sessions_and_speaks_to_this_machine(tmp_path):
    """But its head asks the addresses under which clouds describe a machine; no setting keeps it from that (docs/promises.md)."""
    pytest.importorskip("ray")
    (tmp_path / "in.jsonl").write_text(f'{{"id": "a", "text": "{TEXT}"}}\n', "utf-8")
    command = [sys.executable, "-m", "waqia", "batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out"), "--ray", "1"]
    written, calls = watched(tmp_path, command, seconds=900)
    assert elsewhere(written, tmp_path / "out", Path("/tmp/ray")) == [f"{tmp_path / 'out'}.lock"]
    nameservers = set(re.findall(r"(?m)^nameserver\s+(\S+)", Path("/etc/resolv.conf").read_text()))
    route = "8.8.8.8"  # where a datagram socket is only connected, to learn the address of this machine: nothing goes there
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.connect((route, 53))
        here = {"0.0.0.0", "::", "::1", "127.0.0.1", route, own.getsockname()[0]}
    asked = {address.removeprefix("::ffff:") for address in addresses(calls)} - here - nameservers
    assert asked <= {"169.254.169.254"}


SERVED = """
import json, re, subprocess, sys, urllib.request
server = subprocess.Popen([sys.executable, "-m", "waqia", "serve", "--port", "0", *sys.argv[2:]], stderr=subprocess.PIPE, text=True)
place = server.stderr.readline().strip()
answer = None
for _ in range(600):
    try:
        body = json.dumps({"text": sys.argv[1]}).encode()
        asked = urllib.request.Request(f"{place}v1/read", body, {"content-type": "application/json"})
        answer = json.load(urllib.request.urlopen(asked, timeout=120))
        break
    except urllib.error.URLError:  # it does not listen yet
        import time; time.sleep(0.2)
server.terminate()
server.communicate(timeout=60)
assert answer["incidents"], answer
"""


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_service_speaks_to_this_machine_alone_and_keeps_nothing(tmp_path, workers):
    pytest.importorskip("uvicorn")
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-c", SERVED, TEXT, "--workers", str(workers)]
    written, sockets = watched(tmp_path, command, TMPDIR=str(tmp_path / "tmp"))
    assert elsewhere(written, tmp_path / "tmp") == []
    assert workers > 1 or not written
    assert not list((tmp_path / "tmp").iterdir())  # the counters of several workers, gone with them
    assert addresses(sockets) == {"127.0.0.1"}


def shown(tmp_path: Path, root: Path, command: list[str]) -> list[str]:
    """What a command of eval or train writes outside of a folder of its own; it may open no internet socket."""
    (tmp_path / "tmp").mkdir()
    own = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": f"{root / 'src'}:{root}", "TMPDIR": str(tmp_path / "tmp")}
    written, sockets = watched(tmp_path, [sys.executable, "-m", *command], **own)
    assert addresses(sockets) == set()
    return elsewhere(written, tmp_path / "out", tmp_path / "tmp")


def test_scoring_sends_nothing_and_writes_nothing(tmp_path, root):
    assert shown(tmp_path, root, ["eval.score", str(root / "data/dev.jsonl"), str(root / "data/dev.jsonl")]) == []


@pytest.mark.slow
def test_a_report_sends_nothing_and_writes_its_folder_alone(tmp_path, root):
    pytest.importorskip("matplotlib")
    some = tmp_path / "some.jsonl"
    some.write_text("".join((root / "data/dev.jsonl").read_text("utf-8").splitlines(keepends=True)[:4]), "utf-8")
    packaged = root / "src/waqia/artefacts/waqia-mini-int8"
    assert shown(tmp_path, root, ["eval.report", str(packaged), str(some), str(tmp_path / "out")]) == []


@pytest.mark.slow
def test_a_fine_tuning_sends_nothing_and_writes_its_folder_alone(tmp_path, root):
    pytest.importorskip("torch")
    yaml = pytest.importorskip("yaml")
    data = yaml.safe_load((root / "configs/smoke/finetune.yaml").read_text("utf-8"))
    data |= {"output": str(tmp_path / "out/run"), "label_set": str(root / data["label_set"])}
    data["train_files"] = [{"path": str(root / "data/dev.jsonl"), "repeat": 1}]
    data["dev_files"] = [str(root / "data/dev.jsonl")]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(data), "utf-8")
    assert shown(tmp_path, root, ["train.finetune", str(tmp_path / "config.yaml")]) == []


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_a_users_own_choice_about_telemetry_holds(monkeypatch, chosen, expected):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if chosen is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", chosen)
    Reader.load(threads=1)  # the runtime was imported long before: nothing is sent here
    assert os.environ["ORT_DISABLE_TELEMETRY"] == expected
