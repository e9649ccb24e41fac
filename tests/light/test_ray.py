from __future__ import annotations

import datetime
import json
import os
import signal
from pathlib import Path

import pytest

from waqia import ConfigError, Reader, Reading
from waqia.cli import main

NEEDS = "reading past one machine needs pip install 'waqia[ray]'"
ray, pa, parquet = (pytest.importorskip(name, reason=NEEDS) for name in ("ray", "pyarrow", "pyarrow.parquet"))

from waqia.bulk import parts  # noqa: E402
from waqia.bulk.job import locked  # noqa: E402
from waqia.bulk.parts import DIGEST, PLACE, lines  # noqa: E402
from waqia.bulk.ray import READING, Todo, _keep_to_itself, run  # noqa: E402
from waqia.bulk.ray import read as read_rows  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    r"ignore::DeprecationWarning:ray\..*",  # ray.data sets its own deprecated options
)

TEXTS = [f"قصف مدفعي على البلدة رقم {n} مساء أمس." for n in range(40)]


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, with room for two workers and what feeds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        quiet = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
        ray.init(address="local", num_cpus=3, object_store_memory=200_000_000, **quiet)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


def source(folder: Path, bad: tuple[bytes, ...] = ()) -> Path:
    """JSONL files of ten rows each, bad lines at the end."""
    folder.mkdir()
    rows = [json.dumps({"id": f"r{n}", "text": text, "outlet": "s"}, ensure_ascii=False).encode() for n, text in enumerate(TEXTS)]
    rows += bad
    for start in range(0, len(rows), 10):
        (folder / f"{start:03}.jsonl").write_bytes(b"\n".join(rows[start : start + 10]))
    return folder


def read(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in parquet.read_table(path).to_pylist(maps_as_pydicts="strict")]


def told(incident: dict) -> dict:
    """An incident as `Reading.to_dict` has it: what is not told is left out, where a column has null."""
    if incident["facts"] is not None:
        incident["facts"] = json.loads(incident["facts"])
    participants = [{k: v for k, v in p.items() if k != "mentions" or v is not None} for p in incident["participants"]]
    optional = ("mentions", "date", "killed", "injured", "facts")
    return {k: v for k, v in {**incident, "participants": participants}.items() if k not in optional or v is not None}


def mortal(reader: Reader, flag: Path) -> object:
    """A reader that kills its process once, in the middle of the job; made here so that Ray sends its class by value."""

    class Mortal:
        identity = reader.identity

        def read_many(self, texts):
            texts = list(texts)
            if any("رقم 17 " in text for text, _ in texts) and not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return reader.read_many(texts)

    return Mortal()


def test_every_row_comes_out_once_though_a_worker_is_killed(cluster, tmp_path, reader, monkeypatch):
    monkeypatch.setattr("waqia.bulk.ray.ROWS", 10)
    bad = (b"{broken", "نص".encode("cp1256"), b'{"id": "half", "text": "\\ud83d"}', b'{"id": "n"}', b"[1]")
    outcome = run(source(tmp_path / "in", bad), tmp_path / "out", mortal(reader, tmp_path / "killed"), workers=2)
    assert (tmp_path / "killed").exists()
    rows = read(tmp_path / "out")
    assert sorted(row["id"] for row in rows if not row["error"]) == sorted(f"r{n}" for n in range(len(TEXTS)))
    assert len([row for row in rows if row["error"]]) == outcome.errors == 5
    assert outcome.written == len(TEXTS) + 5
    for row in rows:
        if not row["error"]:
            expected = reader.read(row["text"]).to_dict()
            assert {name: row[name] for name in ("types", "windows", "model", "error")}.items() <= expected.items()
            assert [told(incident) for incident in row["incidents"]] == expected["incidents"]
            assert expected["incidents"][0]["mentions"] is not None
            assert json.loads(row["fields"]) == {"outlet": "s"}


def test_a_job_started_again_reads_only_what_is_missing(cluster, tmp_path, reader):
    run(source(tmp_path / "in", (b"{broken",)), tmp_path / "out", reader, workers=1)
    first, *_ = sorted((tmp_path / "out").glob("*.parquet"))
    lost = parquet.read_metadata(first).num_rows
    first.write_bytes(first.read_bytes()[:-8])  # as a killed job leaves it
    changed = tmp_path / "in/010.jsonl"
    changed.write_text(changed.read_text("utf-8").replace("رقم 15 ", "رقم خمسة عشر "), "utf-8")
    outcome = run(tmp_path / "in", tmp_path / "out", reader, workers=1)
    assert outcome.before + outcome.written == len(TEXTS) + 1
    assert outcome.written in (lost, lost + 1)  # with the row that changed, where it was not among those lost
    rows = {row["id"]: row for row in read(tmp_path / "out")}
    assert len(read(tmp_path / "out")) == len(rows) == len(TEXTS) + 1
    assert rows["r15"]["text"] == TEXTS[15].replace("15", "خمسة عشر")
    assert run(tmp_path / "in", tmp_path / "out", reader, workers=1).written == 0


@pytest.mark.parametrize("day", ["2023-05-12", datetime.date(2023, 5, 12)], ids=["text", "date"])
def test_the_day_of_a_row_dates_its_incidents(reader, day):
    rows = parts.marked(pa.table({"id": ["a"], "text": TEXTS[:1], "date": [day], PLACE: [0]}))
    (row,) = read_rows(rows, reader, todo()).to_pylist()
    assert [incident["date"] for incident in row["incidents"]] == ["2023-05-11"]


def test_parquet_keeps_its_columns_and_rows_without_a_text_say_so(cluster, tmp_path, reader):
    columns = {"id": [1, 2, None], "text": [TEXTS[0], None, "قصف"], "year": [2024, 2023, 2022], "error": ["old"] * 3}
    parquet.write_table(pa.table(columns), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out", reader, workers=1)
    rows = {row["id"]: row for row in read(tmp_path / "out")}
    assert {row["year"] for row in rows.values()} == {2022, 2023, 2024}
    assert rows[1]["error"] is None
    assert "expected str" in rows[2]["error"]
    assert "id is None" in rows[None]["error"]
    assert rows[1]["input"] == {"error": "old"}


def test_another_reader_does_not_go_on_with_the_output(tmp_path, reader):
    folder = tmp_path / "out"
    folder.mkdir()
    parquet.write_table(pa.table({"id": ["a"], "model": [reader.model], "error": ["no"], DIGEST: [b"0" * 16]}), folder / "a.parquet")
    (folder / parts.JOB).write_text(json.dumps({"input": str(tmp_path / "in"), "reader": {**reader.identity, "artefact": "x"}}), "utf-8")
    with pytest.raises(ConfigError, match="was read with artefact 'x', now "):
        run(source(tmp_path / "in"), folder, reader, workers=1)


def test_an_output_folder_of_something_else_is_not_written_to(tmp_path, reader):
    (tmp_path / "out").mkdir()
    parquet.write_table(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "out/a.parquet")
    with pytest.raises(ConfigError, match=r"is not of this job: no _job\.json says who wrote"):
        run(source(tmp_path / "in"), tmp_path / "out", reader, workers=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.parquet"]


def test_a_folder_is_not_read_into_itself(tmp_path, reader):
    with pytest.raises(ConfigError, match="is the input itself"):
        run(source(tmp_path / "in"), tmp_path / "in", reader, workers=1)


def test_a_source_of_neither_kind_is_refused(tmp_path, reader):
    with pytest.raises(ConfigError, match="found neither"):
        run(tmp_path, tmp_path / "out", reader, workers=1)


def test_a_second_job_on_a_folder_is_told_who_writes_it(tmp_path, reader):
    with locked(tmp_path / "out", tmp_path / "out.lock"), pytest.raises(ConfigError, match=f"process {os.getpid()} on .* is writing it"):
        run(source(tmp_path / "in"), tmp_path / "out", reader, workers=1)


def test_fields_named_like_ours_stay_among_the_fields_of_a_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "a", "text": "x", "incidents": [1]}', "utf-8")
    read = lines(pa.Table.from_pylist([{"path": str(tmp_path / "a.jsonl"), "file": 0, "start": 0, "stop": 100}]))
    assert json.loads(read["fields"][0].as_py()) == {"incidents": [1]}


@pytest.mark.parametrize("step", [1, 7, 50, 10_000])
def test_every_line_lies_in_one_range_however_a_file_is_cut(tmp_path, step):
    (tmp_path / "a.jsonl").write_text("".join(f'{{"id": "{n}", "text": "نص\u2028آخر"}}\n' for n in range(9)), "utf-8")
    path, size = str(tmp_path / "a.jsonl"), (tmp_path / "a.jsonl").stat().st_size
    ranges = pa.Table.from_pylist([{"path": path, "file": 0, "start": start, "stop": start + step} for start in range(0, size, step)])
    assert lines(ranges)["id"].to_pylist() == [str(n) for n in range(9)]


def todo(done=(), repeated=(), firsts=(), paths=("in.jsonl",)):
    return Todo(*(pa.array(places, pa.int64()).to_numpy() for places in (done, repeated, firsts)), list(paths))


class Asked:
    """A reader that keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def read_many(self, texts):
        self.asked = list(texts)
        return [Reading(model="asked") for _ in self.asked]


def test_rows_are_read_with_their_dates_but_for_those_done_and_those_whose_id_stands_already(tmp_path):
    rows = [{"id": name, "text": f"قصف {n}", "date": "2023-05-12"} for n, name in enumerate("aba")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    before = lines(pa.Table.from_pylist([{"path": str(tmp_path / "in.jsonl"), "file": 0, "start": 0, "stop": 10_000}]))
    places, reader = before[PLACE].to_pylist(), Asked()
    found = read_rows(before, reader, todo(done=places[1:2], repeated=places[2:], firsts=places[:1])).to_pylist(maps_as_pydicts="strict")
    assert reader.asked == [("قصف 0", "2023-05-12"), ("", None)]
    assert [row["id"] for row in found] == ["a", "a"]
    assert [row["error"] for row in found] == [None, f"in.jsonl:{places[2]}: id 'a' stands already at in.jsonl:0; ids must be unique"]
    assert found[0][DIGEST] == before[DIGEST][0].as_py()
    assert found[1][DIGEST] == parts.repeated_digest(before[DIGEST][2].as_py(), "in.jsonl:0")
    assert not [name for name in found[0] if name.startswith("waqia.")]


def test_the_command_reads_with_ray(cluster, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "قصف"}\n{broken\n', "utf-8")
    assert main(["batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out"), "--ray", "1"]) == 3
    assert '{"rows": 2, "written": 2, "errors": 1}' in capsys.readouterr().err


def test_columns_of_a_reading_are_those_of_the_reader(reader):
    assert READING.names == list(reader.read(TEXTS[0]).to_dict())


@pytest.mark.parametrize("yours", ["RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "", "file", "cluster"])
def test_a_cluster_of_its_own_has_a_token_that_is_kept_in_no_file(tmp_path, monkeypatch, yours):
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    for kind, path in (("file", ".ray/auth_token"), ("cluster", "ray/ray_current_cluster")):
        if yours == kind:
            (tmp_path / path).parent.mkdir()
            (tmp_path / path).write_text("x")
    if yours.startswith("RAY"):
        monkeypatch.setenv(yours, "mine")
    _keep_to_itself()
    assert len(os.environ.get("RAY_AUTH_TOKEN", "")) == (64 if not yours else 4 if yours == "RAY_AUTH_TOKEN" else 0)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
