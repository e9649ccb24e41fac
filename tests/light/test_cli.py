from __future__ import annotations

import json
import subprocess
import sys

import pytest

from waqia.cli import main

TEXT = "قتل ثلاثة مدنيين في قصف مدفعي على مدينة إدلب مساء أمس.\r\nواعتقلت الشرطة خمسة متظاهرين في بغداد."


@pytest.fixture
def article(tmp_path):
    path = tmp_path / "article.txt"
    path.write_bytes(TEXT.encode())
    return path


def test_text_goes_to_stdout_without_colour_where_that_is_no_terminal(article, capsys):
    assert main(["read", str(article)]) == 0
    out, err = capsys.readouterr()
    assert "shelling" in out
    assert "قصف مدفعي أو صاروخي" in out
    assert "\033" not in out
    assert err == ""


def test_json_holds_offsets_of_the_file_as_it_is(article, capsys):
    assert main(["read", "--format", "json", str(article)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["path"] == str(article)
    for incident in row["incidents"]:
        trigger = incident["trigger"]
        assert TEXT[trigger["start"] : trigger["end"]] == trigger["text"]


def test_html_is_a_page(article, capsys):
    assert main(["read", "--format", "html", str(article)]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")


def test_a_dash_reads_standard_input():
    done = subprocess.run([sys.executable, "-m", "waqia", "read", "-", "--format", "json"], input=TEXT.encode(), capture_output=True)
    assert done.returncode == 0
    assert json.loads(done.stdout)["path"] == "-"


def test_a_bad_file_is_named_and_the_others_are_read(article, tmp_path, capsys):
    bad = tmp_path / "bad.txt"
    bad.write_bytes("قصف".encode("cp1256"))
    assert main(["read", str(bad), str(tmp_path / "gone.txt"), str(article), "--format", "json"]) == 3
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert "bad.txt: byte 0 is no UTF-8" in err
    assert "gone.txt: No such file" in err


def test_a_missing_artefact_ends_with_4(article, tmp_path, capsys):
    assert main(["read", str(article), "--artefact", str(tmp_path)]) == 4
    assert "no manifest.json" in capsys.readouterr().err


def test_wrong_usage_ends_with_2():
    with pytest.raises(SystemExit) as ended:
        main(["read"])
    assert ended.value.code == 2


def test_a_page_is_made_of_one_article(article):
    with pytest.raises(SystemExit) as ended:
        main(["read", "--format", "html", str(article), str(article)])
    assert ended.value.code == 2


def test_thresholds_of_a_call_are_a_number_or_numbers_by_name(article, capsys):
    def types(*options):
        assert main(["read", str(article), "--format", "json", *options]) == 0
        return [incident["type"] for incident in json.loads(capsys.readouterr().out)["incidents"]]

    assert "shelling" in types()
    assert types("--at-least", "1") == []
    assert "shelling" not in types("--at-least", "shelling=1", "--at-least", "place=0.9")


@pytest.mark.parametrize(
    ("options", "said"),
    [(["much"], "'much' is no number"), (["0.5", "shelling=0.2"], "give either"), (["boom=0.5"], "names 'boom'"), (["7"], "from 0 to 1")],
)
def test_impossible_thresholds_end_with_2(article, options, said, capsys):
    asked = [part for option in options for part in ("--at-least", option)]
    assert main(["read", str(article), *asked]) == 2
    assert said in capsys.readouterr().err
