"""What `link`, `table`, `page`, `convert` and `validate` do with damaged input and with outputs that are no plain files."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import random
import subprocess
import sys
import threading

import pytest

from waqia import Reader, RecordError
from waqia.bulk import events, link
from waqia.bulk.clues import Tables
from waqia.cli import main
from waqia.formats import archive, table
from waqia.frame import packaged_labels

LABELS = packaged_labels()
TEXTS = ["قتل ثلاثة مدنيين في قصف مدفعي لقوات النظام على مدينة إدلب مساء أمس.", "قصف مدفعي على مدينة إدلب أوقع ثلاثة قتلى."]


@pytest.fixture(scope="module")
def rows():
    reader = Reader.load(threads=1)
    texts = [{"id": f"r{n}", "text": text, "date": "2020-03-05"} for n, text in enumerate(TEXTS)]
    return [{**row, **reader.read(row["text"], date=row["date"]).to_dict()} for row in texts]


@pytest.fixture(scope="module")
def tables():
    return Tables.packaged(LABELS)


@pytest.fixture(scope="module")
def event(rows, tables):
    return next(iter(link.link(rows, tables).lines()))


@pytest.fixture
def files(tmp_path, rows, event):
    """The rows that `batch` wrote and the events that `link` made of them."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n", "utf-8")
    return tmp_path


def places(value, path=()):
    """Where every value of a tree stands."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def damaged(whole, draw: random.Random):
    """A tree with one value of another kind, or without it."""
    tree = copy.deepcopy(whole)
    *way, last = draw.choice([path for path in places(tree) if path])
    holder = tree
    for step in way:
        holder = holder[step]
    bad = draw.choice([None, 7, -1.5, "x", [], {}, ["x"], {"x": 1}, True, "gone"])
    if bad == "gone":
        del holder[last]
    else:
        holder[last] = bad
    return tree


def fault(work) -> str:
    """What the error of a call says; nothing where there is none."""
    try:
        work()
    except RecordError as error:
        return str(error)
    return ""


def test_a_damaged_event_is_refused_with_its_line_or_else_can_be_used_everywhere(tmp_path, event, tables):
    draw, path = random.Random(5), tmp_path / "events.jsonl"

    def use() -> None:
        read = list(events.read_events(path))
        for form in ("csv", "acled", "plover", "geojson"):
            table.table(read, form, LABELS)
        archive.page(read, LABELS)
        list(link.link((), tables, old=read).lines())

    said = []
    for _ in range(400):
        path.write_text(json.dumps(event) + "\n" + json.dumps(damaged(event, draw)) + "\n", "utf-8")
        said.append(fault(use))
    told = [one for one in said if one and "is not in the label set" not in one]
    assert 200 < len(told) < 400
    assert all((one.startswith(f"{path}:2: ") and "waqia link" in one) or "no object with an id" in one for one in told)


def test_a_damaged_row_is_refused_with_its_id_or_else_linked(rows, tables):
    draw = random.Random(6)
    bad = [row for row in (damaged(rows[0], draw) for _ in range(300)) if "id" in row]
    said = [one for row in bad if (one := fault(lambda row=row: list(link.link([row], tables).lines())))]
    assert len(said) > 50
    assert all(one.startswith("row ") for one in said)


LINES = {
    "NaN": '{"id": "a", "x": NaN}',
    "stands twice": '{"id": "a", "id": "b"}',
    "thousands of digits": f'{{"id": "a", "x": {"7" * 5000}}}',
    "nested too deeply": '{"id": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "no UTF-8": b'{"id": "\xff"}',
    "no JSON": '{"id": "a"',
    "no object with an id": "7",
}


@pytest.mark.parametrize("said", LINES)
@pytest.mark.parametrize("command", ["link {bad} {out}", "table {bad} --out {out}", "page {bad} {out}", "link {rows} {bad}"])
def test_what_no_record_may_hold_is_one_line_and_leaves_nothing(files, capsys, said, command):
    bad, line = files / "bad.jsonl", LINES[said]
    bad.write_bytes(line if isinstance(line, bytes) else line.encode())
    before = sorted(files.iterdir())
    assert main(command.format(bad=bad, out=files / "out", rows=files / "rows.jsonl").split()) == 3
    error = capsys.readouterr().err
    assert error.startswith(f"{bad}:1: ")
    assert said in error
    assert error.count("\n") == 1
    assert sorted(files.iterdir()) == before


WRITING = [
    "link {rows} {out}",
    "table {events} --out {out}",
    "page {events} {out}",
    "convert {rows} {out}",
    "convert {rows} {out} --to csv",
]


def command(form: str, files, out) -> list[str]:
    return form.format(rows=files / "rows.jsonl", events=files / "events.jsonl", out=out).split()


@pytest.mark.parametrize("form", WRITING)
def test_a_folder_and_a_place_that_is_not_there_are_refused(files, capsys, form):
    (files / "folder").mkdir()
    for out in (files / "folder", files / "gone/out"):
        assert main(command(form, files, out)) == 2
        assert str(out) in capsys.readouterr().err
    assert not list((files / "folder").iterdir())
    assert not list(files.glob("folder.*"))


@pytest.mark.parametrize("form", WRITING)
def test_a_pipe_is_written_as_a_stream_and_stays_a_pipe(files, form):
    assert main(command(form, files, files / "plain")) == 0
    os.mkfifo(files / "pipe")
    taken = []
    other = threading.Thread(target=lambda: taken.append((files / "pipe").read_bytes()))
    other.start()
    assert main(command(form, files, files / "pipe")) == 0
    other.join(30)
    assert taken == [(files / "plain").read_bytes()]
    assert (files / "pipe").is_fifo()


@pytest.mark.parametrize("form", WRITING)
def test_a_device_that_is_full_is_named_and_stays_a_device(files, capsys, form):
    assert main(command(form, files, "/dev/full")) == 1
    assert "/dev/full: No space left on device" in capsys.readouterr().err
    assert os.path.exists("/dev/full")
    assert not os.path.isfile("/dev/full")


@pytest.mark.parametrize("form", WRITING)
def test_where_a_file_may_not_grow_the_one_before_it_stays(files, form):
    big = files / "big.jsonl"
    source = "rows" if "rows" in form else "events"
    rows = [json.loads(line) for line in (files / f"{source}.jsonl").read_text("utf-8").splitlines()]
    many = [{**row, "id": f"{row['id']}-{n}"} for n in range(60) for row in rows]
    big.write_text("".join(json.dumps(row) + "\n" for row in many), "utf-8")
    out = files / "out"
    before = (files / "events.jsonl").read_bytes()
    out.write_bytes(before)
    said = form.format(rows=big, events=big, out=out).split()
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", sys.executable, "-m", "waqia", *said]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{out}: File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert out.read_bytes() == before
    assert not list(files.glob("out.*"))


@pytest.mark.parametrize("form", WRITING)
def test_a_second_writer_is_told_who_writes(files, capsys, form):
    with open(files / "out.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("process 77 on here")
        lock.flush()
        assert main(command(form, files, files / "out")) == 2
    assert "process 77 on here is writing it" in capsys.readouterr().err
    assert not (files / "out").exists()


@pytest.mark.parametrize("form", WRITING)
def test_a_link_to_a_file_stays_one(files, form):
    (files / "out").symlink_to(files / "elsewhere")
    assert main(command(form, files, files / "out")) == 0
    assert (files / "out").is_symlink()
    assert (files / "elsewhere").read_bytes()


def test_a_fault_of_a_file_cannot_steer_a_terminal(tmp_path, capsys):
    bad = tmp_path / "a\033[31m.jsonl"
    bad.write_text(json.dumps({"id": "\033[2J\u009b", "text": 7, "incidents": []}) + "\n", "utf-8")
    assert main(["validate", "--from", "records", str(bad)]) == 3
    said = capsys.readouterr()
    assert not {"\033", "\u009b"} & set(said.out + said.err)


def test_messages_of_a_closed_standard_error_do_not_end_in_the_output(files):
    shell = f"exec {sys.executable} -m waqia convert {files / 'rows.jsonl'} - 2>&-"
    done = subprocess.run(["bash", "-c", shell], capture_output=True)
    assert done.returncode == 0
    assert all(json.loads(line)["id"] for line in done.stdout.splitlines())
