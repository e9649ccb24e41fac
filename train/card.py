"""The model card of a run: README.md with a YAML head, as the Hugging Face hub reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from train.run import Run

SHOWN = ("incidents F1", "actors F1", "types micro-F1", "types macro-F1", "trigger classification F1", "sectors accuracy")


def card(run: Run, figures: Mapping[str, float | None]) -> str:
    """What the run is, what it was made from, and its figures on the dev files, which also chose its thresholds."""
    config = run.config
    tags = ["arabic", "event-extraction", "news", "waqia"]
    head = {"language": "ar", "library_name": "transformers", "tags": tags, "model_name": config.name}
    if isinstance(config.encoder, str) and not config.encoder.startswith(("/", ".")) and config.encoder.count("/") == 1:
        head["base_model"] = config.encoder
    rows = [f"| {name} | {figures[name]:.3f} |" for name in SHOWN if figures.get(name) is not None]
    return "\n".join(
        [
            "---",
            yaml.safe_dump(head, allow_unicode=True, sort_keys=False).rstrip(),
            "---",
            f"# {config.name}",
            "",
            f"Reads Arabic news into incidents: {len(run.labels.incident_types)} types of the label set `{run.labels.name}` "
            f"(version {run.labels.version}), their actors, places, dates and numbers. A joint model of Waqia over "
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
