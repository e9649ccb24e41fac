"""Bad options and configurations are answered before anything heavy is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "datasets", "evaluate", "accelerate", "onnx", "sklearn", "scipy", "matplotlib", "huggingface_hub")
SCRIPTS = [
    "train.finetune", "train.pretrain", "train.export", "train.quantise", "train.selfcheck", "train.select", "train.push",
    "train.quickstart", "train.tokenizer", "train.data", "train.experiments.ablation", "train.experiments.curve",
    "train.experiments.scratch", "eval.score", "eval.compare", "eval.gate", "eval.report", "eval.baselines", "eval.facts", "eval.link",
    "eval.perturb.robustness", "eval.analysis.coverage", "eval.analysis.errors", "eval.analysis.gsr", "eval.analysis.merging",
    "eval.analysis.probabilities", "eval.analysis.slices", "eval.speed",
]  # fmt: skip
RUN = """
import contextlib, io, json, runpy, sys
found = {}
for call in json.loads(sys.argv[1]):
    module, *argv = call
    sys.argv[:] = [module, *argv]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code
    found[" ".join(call)] = [code, said.getvalue(), [name for name in HEAVY if name in sys.modules]]
print(json.dumps(found))
"""


def answers(root, *calls):
    """Exit code, standard error and heavy modules imported of scripts run one after the other in a process of their own."""
    code = RUN.replace("HEAVY", repr(HEAVY))
    done = subprocess.run([sys.executable, "-c", code, json.dumps(calls)], cwd=root, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    kept = (root / "configs/smoke/finetune.yaml").read_text("utf-8")
    (folder / "finetune.yaml").write_text(kept.replace("epochs:", "epocs:"), "utf-8")
    kept = (root / "configs/smoke/pretrain.yaml").read_text("utf-8")
    (folder / "pretrain.yaml").write_text(kept.replace("log_steps:", "log_step:"), "utf-8")
    calls = [
        *([script, "--no-such-option"] for script in SCRIPTS),
        ["train.finetune", str(folder / "finetune.yaml")],
        ["train.pretrain", str(folder / "pretrain.yaml")],
        ["train.export", str(folder), str(folder / "out")],
        ["train.quantise", "x", "y", "--calibrat", "a", "--gaet", "b"],
    ]
    return answers(root, *calls)


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_option_that_is_not_there_is_refused_before_anything_heavy_is_imported(found, script):
    code, said, heavy = found[f"{script} --no-such-option"]
    assert code == 2, said
    assert heavy == []


@pytest.mark.parametrize(("script", "meant"), [("finetune", "did you mean training.epochs?"), ("pretrain", "did you mean log_steps?")])
def test_a_misspelt_key_of_a_configuration_is_answered_before_torch_is_imported(found, script, meant):
    code, said, heavy = next(answer for call, answer in found.items() if call.endswith(f"/{script}.yaml"))
    assert code == 2
    assert meant in said
    assert heavy == []


def test_a_folder_that_is_no_run_is_refused_before_torch_is_imported(found):
    code, said, heavy = next(answer for call, answer in found.items() if call.startswith("train.export /"))
    assert code == 2
    assert "config.yaml is missing; expected the output folder of a finished python -m train.finetune" in said
    assert heavy == []


def test_a_misspelt_option_of_a_script_is_answered_with_the_one_meant(found):
    _, said, _ = found["train.quantise x y --calibrat a --gaet b"]
    assert said.endswith("did you mean --gate?\n")
