"""Incident types of passages by TF-IDF of words and characters with a logistic regression a type.

It finds no spans: its predictions say `passage_types` and the probability of each type in `types`, which eval.score takes. Least
probabilities are chosen by cross-validation on the training records, one a type, leaning on the one of all types together where a type
is rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eval.score.match import passage_types
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import Record

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

FOLDS = 5
SHRINK = 40  # passages of a type at which its own threshold counts as much as that of all types


@dataclass(frozen=True, slots=True)
class Classifier:
    """One type: its regression, and what cross-validation predicted for the training passages."""

    model: LogisticRegression
    truth: NDArray[np.bool_]
    probabilities: NDArray[np.float64]


def predict(train: Sequence[Record], gold: Sequence[Record], labels: LabelSet) -> list[dict[str, Any]]:
    """A prediction row for every gold record, from the training records alone."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second to import
    from sklearn.pipeline import FeatureUnion

    vectorizer = FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)),
            ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)),
        ]
    )
    features, wanted = vectorizer.fit_transform([record.text for record in train]), vectorizer.transform([record.text for record in gold])
    found: dict[str, Classifier] = {}
    for name in labels.incident_types:
        asked = np.array([record.annotated is None or name in record.annotated for record in train])
        truth = np.array([name in passage_types(record) for record in train])[asked]
        if min(truth.sum(), (~truth).sum()) >= FOLDS:
            found[name] = fit(features[asked], truth)
    if not found:
        raise ConfigError(f"the training files have no type with {FOLDS} passages; give more or other --train files")
    common = best_threshold(np.concatenate([c.truth for c in found.values()]), np.concatenate([c.probabilities for c in found.values()]))
    types: list[dict[str, float]] = [{} for _ in gold]
    chosen: list[list[str]] = [[] for _ in gold]
    for name, classifier in found.items():
        own = classifier.truth.sum() / (classifier.truth.sum() + SHRINK)
        threshold = own * best_threshold(classifier.truth, classifier.probabilities) + (1 - own) * common
        for place, probability in enumerate(classifier.model.predict_proba(wanted)[:, 1]):
            types[place][name] = round(float(probability), 6)
            if probability >= threshold:
                chosen[place].append(name)
    return [
        {"id": record.id, "incidents": [], "passage_types": names, "types": probabilities}
        for record, names, probabilities in zip(gold, chosen, types, strict=True)
    ]


def fit(features: Any, truth: NDArray[np.bool_]) -> Classifier:
    """A regression on all passages, and its cross-validated probabilities."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    model = LogisticRegression(C=10, class_weight="balanced", max_iter=300, solver="liblinear", random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    probabilities = cross_val_predict(model, features, truth, cv=folds, method="predict_proba")[:, 1]
    return Classifier(model.fit(features, truth), truth, probabilities)


def best_threshold(truth: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> float:
    """The least probability with the best F1."""
    order = np.argsort(-probabilities)
    hits = np.cumsum(truth[order])
    best = int(np.argmax(2 * hits / (truth.sum() + np.arange(1, len(order) + 1))))
    return float(probabilities[order[best]])
