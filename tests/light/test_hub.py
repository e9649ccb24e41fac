"""Readers of the Hugging Face hub: from its cache as huggingface_hub lays it out, and from a server on this machine; no other network."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub import COMMIT, OTHER_COMMIT, lay, serving
from waqia import ArtefactError, ConfigError, Reader
from waqia.model import artefact
from waqia.model.hub import hub_name, push

hub = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")

TEXT = "قصف مدفعي على مدينة إدلب مساء أمس."
NAME = "org/waqia-test"
FILES = {name: (artefact.DEFAULT / name).read_bytes() for name in (artefact.MANIFEST, *artefact.FILES)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and nothing asked of any network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


@pytest.fixture
def online(cache, monkeypatch):
    """The empty cache, and what makes a server's address the hub's."""

    def use(address):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)

    return use


def test_a_reader_is_loaded_from_the_cache_offline(cache):
    lay(cache, NAME, {**FILES, "README.md": b"# card\n", ".gitattributes": b"*.onnx filter=lfs\n"})
    assert Reader.load(NAME, threads=1).read(TEXT) == Reader.load(threads=1).read(TEXT)


def test_home_and_offline_of_the_environment_are_respected(tmp_path):
    lay(tmp_path / "home/hub", NAME, FILES)
    code = f"import waqia; print(waqia.Reader.load({NAME!r}, threads=1).model)"
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    for gone in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        environment.pop(gone, None)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "waqia-mini-int8\n", done.stderr


def test_a_revision_is_a_branch_or_a_commit_as_an_option_or_in_the_name(cache):
    lay(cache, NAME, FILES)
    lay(cache, NAME, {**FILES, "settings.json": b"damaged"}, commit=OTHER_COMMIT, ref="v2")
    for revision in ("main", COMMIT):
        assert artefact.load(NAME, revision=revision).hub == (NAME, COMMIT)
        assert artefact.load(f"{NAME}@{revision}").hub == (NAME, COMMIT)
    with pytest.raises(ArtefactError, match=rf"{OTHER_COMMIT}.settings\.json: differs from its sha256"):
        artefact.load(NAME, revision="v2")


def test_a_reader_of_the_hub_is_pickled_by_repository_and_commit(cache):
    lay(cache, NAME, FILES)
    reader = Reader.load(NAME, threads=1)
    assert reader.__reduce__()[1][0] == f"{NAME}@{COMMIT}"
    assert pickle.loads(pickle.dumps(reader)).read(TEXT) == reader.read(TEXT)


def test_a_folder_or_a_package_name_is_never_asked_of_the_hub(cache, tmp_path):
    assert hub_name(NAME) == (NAME, None)
    for here in ("waqia-mini-int8", "org/a/b", "./org/name", "/org/name", "org", "org/name@", ""):
        assert hub_name(here) is None
    (tmp_path / "org").mkdir()  # a slip in the name of a folder here asks no network
    assert hub_name(NAME) is hub_name(Path(NAME)) is None
    with pytest.raises(ArtefactError, match=r"waqia-test: no manifest\.json"):
        Reader.load(NAME)


@pytest.mark.parametrize("path", [None, "waqia-mini-int8", "/tmp"])
def test_a_revision_of_what_is_on_this_machine_is_refused(cache, path):
    with pytest.raises(ConfigError, match=r"revision is 'v1', but .* is no name on the Hugging Face hub"):
        Reader.load(path, revision="v1")


def test_two_revisions_are_refused(cache):
    with pytest.raises(ConfigError, match="names revision 'v1', and revision is 'v2'"):
        Reader.load(f"{NAME}@v1", revision="v2")


def test_without_the_client_the_extra_is_named(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"no such folder here, and reading it .* needs pip install 'waqia\[hub\]'"):
        Reader.load(NAME)


def test_offline_and_not_in_the_cache_says_both_and_the_way_out(cache):
    with pytest.raises(
        ArtefactError, match=r"not whole in the Hugging Face cache .*cache, and HF_HUB_OFFLINE .*hf download org/waqia-test\)"
    ):
        Reader.load(NAME)


def test_offline_a_cache_that_lacks_a_file_is_not_whole(cache):
    lay(cache, NAME, {name: data for name, data in FILES.items() if name != "merge.onnx"})
    with pytest.raises(ArtefactError, match="not whole in the Hugging Face cache"):
        Reader.load(NAME)


def test_a_reader_is_fetched_once_then_costs_one_request_and_with_a_commit_none(cache, online):
    with serving({NAME: {"main": FILES, COMMIT: FILES}}) as (address, asked):
        online(address)
        assert Reader.load(NAME, threads=1).read(TEXT) == Reader.load(threads=1).read(TEXT)
        assert sum(line.startswith("GET") and "/resolve/" in line for line in asked) == len(FILES)
        assert not [line for line in asked if "/main/" in line and "manifest.json" not in line]
        asked.clear()
        artefact.load(NAME)
        assert asked == [f"HEAD /{NAME}/resolve/main/manifest.json"]
        artefact.load(NAME, revision=COMMIT)
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("org/gone", "org/gone: no such folder here, and the Hugging Face hub has no such repository"),
        (f"{NAME}@v9", "org/waqia-test@v9: the repository is there, that revision is not"),
        ("org/bert", r"org/bert: is no artefact of Waqia \(.*\); expected what python -m train\.push ARTEFACT ORG/NAME has written"),
    ],
)
def test_a_name_that_is_wrong_is_refused_with_what_is_wrong(cache, online, name, said):
    with serving({NAME: {"main": FILES}, "org/bert": {"main": {"config.json": b"{}"}}}) as (address, _):
        online(address)
        with pytest.raises(ArtefactError, match=said) as refused:
            Reader.load(name)
    assert refused.value.exit_code == 4


def test_a_name_that_no_repository_can_have_is_not_pushed_to(cache):
    for name in ("name", "org/name@v1", "org/name/more"):
        with pytest.raises(ConfigError, match="expected the name of a repository"):
            push(name, {}, message="x")


def test_pushing_offline_says_so(cache):
    with pytest.raises(ArtefactError, match="org/waqia-test: the Hugging Face hub refused or cannot be reached"):
        push(NAME, FILES, message="x")


def test_the_command_reads_with_a_model_of_the_hub(cache, tmp_path, capsys):
    from waqia.cli import main

    lay(cache, NAME, FILES)
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    assert main(["read", "a.txt", "--artefact", f"{NAME}@main"]) == 0
    assert "shelling" in capsys.readouterr().out
