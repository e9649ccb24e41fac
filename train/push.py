"""Upload an artefact or a finished run to the Hugging Face hub: python -m train.push FOLDER ORG/NAME [--card FILE] [--private]

An artefact is then read with `waqia.Reader.load("org/name")`; of a run transformers loads the joint model, and `train.finetune` goes on
from it (`encoder: org/name`). The card is --card, else the folder's README.md, else one made of what the manifest says. What a run keeps of
the texts that it was judged on (dev-predictions.jsonl) and its logs stay here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.score.command import run as run_script
from train.card import artefact_card
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.model import artefact, hub

RUN = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "calibration.json", "facts.json", "config.yaml")
RUN_BESIDE = ("dev-scores.json", "trainer-state.json")  # figures, no texts
CARD = "README.md"


def main(argv: Sequence[str] | None = None) -> None:
    """Prove the folder, then upload it in one commit."""
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path, help="an artefact, or the output folder of python -m train.finetune")
    parser.add_argument("repository", metavar="ORG/NAME", help="a model repository; it is made where there is none")
    parser.add_argument("--card", type=Path, metavar="FILE", help="model card, as model-card.md of python -m eval.report")
    parser.add_argument("--private", action="store_true", default=None, help="make it private, where it is made")
    args = parser.parse_args(argv)
    files = files_of(args.folder, args.repository)
    if args.card is not None:
        if not args.card.is_file():
            raise ConfigError(f"{args.card}: no such file; --card names a model card in Markdown")
        files[CARD] = args.card
    print(hub.push(args.repository, files, private=args.private, message=f"{args.folder.name}, by python -m train.push"))


def files_of(folder: Path, repository: str) -> dict[str, Path | bytes]:
    """What is uploaded of a folder, by name; ArtefactError or ConfigError where it is neither a whole artefact nor a finished run."""
    if (folder / artefact.MANIFEST).is_file():
        loaded = artefact.load(folder.absolute())
        files: dict[str, Path | bytes] = {name: folder / name for name in (artefact.MANIFEST, *artefact.FILES)}
        card: Path | bytes = folder / CARD if (folder / CARD).is_file() else artefact_card(loaded, repository).encode()
        return {**files, CARD: card}
    missing = [name for name in (*RUN, CARD) if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder}: no {artefact.MANIFEST}, so no artefact, and {', '.join(missing)} missing for a finished run; expected the folder "
            "that python -m train.export, train.quantise or train.finetune has written"
        )
    return {name: folder / name for name in (*RUN, *RUN_BESIDE, CARD) if (folder / name).is_file()}


if __name__ == "__main__":
    run_script(main)
