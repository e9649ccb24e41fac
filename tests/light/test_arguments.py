"""Command lines ask "did you mean …?" of what is misspelt."""

from __future__ import annotations

import pytest

from waqia import cli
from waqia.arguments import Parser, did_you_mean


def said(capsys, run, *argv):
    """The last line on standard error of a command that ends with code 2."""
    with pytest.raises(SystemExit) as ended:
        run(list(argv))
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture
def parse():
    parser = Parser(prog="p", description="one\ntwo")
    parser.add_argument("--calibrate", required=True)
    parser.add_argument("--backend", choices=["onnxruntime", "openvino"])
    return parser.parse_args


def test_a_near_name_is_asked_for_and_a_far_one_is_not():
    assert did_you_mean("epocs", ["epochs", "seed"]) == "; did you mean epochs?"
    assert did_you_mean("weather", ["epochs", "seed"]) == ""


def test_a_misspelt_option_is_answered_with_the_one_meant(capsys, parse):
    assert said(capsys, parse, "--calibrate", "x", "--bakend", "y").endswith("unrecognized arguments: --bakend y; did you mean --backend?")


def test_a_misspelt_option_that_is_required_is_answered_too(capsys, parse):
    assert said(capsys, parse, "--calibarte=x").endswith("required: --calibrate; did you mean --calibrate?")


def test_an_option_that_is_right_or_begun_is_not_asked_about(capsys, parse):
    assert said(capsys, parse, "--cal", "x", "--backend").endswith("--backend: expected one argument")
    assert parse(["--calib", "x"]).calibrate == "x"


def test_a_misspelt_choice_is_answered_with_the_one_meant(capsys, parse):
    assert said(capsys, parse, "--calibrate", "x", "--backend", "openvin").endswith("; did you mean openvino?")


def test_the_lines_of_a_description_stay(capsys, parse):
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert "one\ntwo" in capsys.readouterr().out


def test_commands_of_waqia_and_their_options_are_asked_about(capsys):
    assert said(capsys, cli.main, "raed", "x").endswith("; did you mean read?")
    assert said(capsys, cli.main, "read", "x", "--artifact", "y").endswith("; did you mean --artefact?")
    assert said(capsys, cli.main, "convert", "a", "b", "--form", "brat", "--to", "acled", "--of", "x").count("did you mean") <= 2
