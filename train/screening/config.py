"""The configuration of a screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from train.config import Count, Part, Positive, Share


class Student(Part):
    """The small model and how it is fitted."""

    depth: Count  # numbers a token
    neighbours: Annotated[int, Field(ge=0)]  # on either side
    hidden: Count
    epochs: Count
    negatives: Count  # tokens that begin no mention, drawn anew in each epoch, for each that does
    batch_tokens: Count
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    dropout: Share


class ScreenConfig(Part):
    """Everything that a screen is made from."""

    name: str
    seed: int
    artefact: Path  # the full model
    output: Path  # folder of the screen
    readings: Path  # file in which what the full model said is kept from run to run
    corpus: Path  # folder of files NAME.jsonl.xz
    outlets: list[str]  # files of the corpus: fitted on a part of their documents, proved on the others
    documents: Count
    other_outlets: list[str]  # only measured
    other_documents: Count
    seconds: Positive  # after which no more documents are read; a run that is started again goes on with the others
    labelled: list[Path]  # records whose mentions are fitted too
    fitted: Share  # of the documents
    student: Student
    lost: list[Share]  # shares of incidents for which a threshold is sought
    confidence: Share
