"""The model cards of a run and of an artefact: README.md with a YAML head, as the Hugging Face hub reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from waqia.labels import LabelSet
from waqia.model.artefact import Artefact
from waqia.model.hub import hub_name

if TYPE_CHECKING:
    from train.run import Run

SHOWN = ("incidents F1", "actors F1", "types micro-F1", "types macro-F1", "trigger classification F1", "sectors accuracy")


def card(run: Run, figures: Mapping[str, float | None]) -> str:
    """What the run is, what it was made from, and its figures on the dev files, which also chose its thresholds."""
    config = run.config
    head = _head(config.name, "transformers", config.encoder)
    rows = [f"| {name} | {figures[name]:.3f} |" for name in SHOWN if figures.get(name) is not None]
    return "\n".join(
        [
            *head,
            f"{_reads(run.labels)} A joint model of Waqia over "
            f"`{config.encoder if isinstance(config.encoder, str) else 'an encoder with random weights'}`.",
            "",
            "```python",
            "from train.model import IncidentModel  # in a clone of Waqia: registers the model with transformers",
            "",
            'model = IncidentModel.from_pretrained("THIS FOLDER OR ITS HUB ID")',
            "```",
            "",
            "For reading without torch export it: `python -m train.export RUN ARTEFACT`, then `waqia.Reader.load(ARTEFACT)`.",
            "",
            "| on dev, which also chose the thresholds | |",
            "|---|---|",
            *rows,
            "",
            f"Made by `python -m train.finetune` with `config.yaml` (seed {config.seed}); `facts.json` has the sha256 of every file it was",
            "trained and calibrated on.",
            "",
        ]
    )


def artefact_card(loaded: Artefact, repository: str) -> str:
    """What an artefact reads, how it is read with, and what its manifest says of how it was made."""
    said = loaded.card
    lines = [
        *_head(loaded.model, "waqia", said.get("config", {}).get("encoder")),
        f"{_reads(loaded.labels)} An artefact of Waqia: ONNX graphs, tokenizer, label set and calibration; reading needs no torch.",
        "",
        "```python",
        "import waqia  # with its extra hub",
        "",
        f'reader = waqia.Reader.load("{repository}")',
        'for incident in reader.read("قصف مدفعي على مدينة إدلب مساء أمس.").incidents:',
        "    print(incident.type, incident.status, incident.trigger.text)",
        "```",
        "",
        *_quantised(said.get("int8", {})),
        f"`manifest.json` (sha256 `{loaded.digest[:12]}…`) names the files that it was trained and calibrated on, with the sha256 of each.",
        "For research, and for reading at scale under human review; not for decisions about persons, and not as the only count of deaths",
        "or attacks.",
        "",
    ]
    return "\n".join(lines)


def _head(name: str, library: str, encoder: Any) -> list[str]:
    """The YAML head and the title."""
    tags = ["arabic", "event-extraction", "news", "waqia"]
    head = {"language": "ar", "library_name": library, "tags": tags, "model_name": name}
    if isinstance(encoder, str) and hub_name(encoder) is not None:
        head["base_model"] = encoder
    return ["---", yaml.safe_dump(head, allow_unicode=True, sort_keys=False).rstrip(), "---", f"# {name}", ""]


def _reads(labels: LabelSet) -> str:
    return (
        f"Reads Arabic news into incidents: {len(labels.incident_types)} types of the label set `{labels.name}` "
        f"(version {labels.version}), their actors, places, dates and numbers."
    )


def _quantised(said: Mapping[str, Any]) -> Iterator[str]:
    """The figures of the gate that an int8 artefact has passed."""
    if not said:
        return
    yield from (
        f"int8; on `{said['gate']}`, which it had to pass, and before in fp32:",
        "",
        "| backend | figure | fp32 | int8 |",
        "|---|---|---|---|",
    )
    for backend, figures in said["figures"].items():
        yield from (f"| {backend} | {name} | {pair['fp32']:.3f} | {pair['int8']:.3f} |" for name, pair in figures.items())
    yield ""
