"""The confusion matrix, and what follows from it: precision, recall and F1."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from gpunet import Tensor
from gpunet.dtypes import int64
from gpunet.metrics.classes import chosen_class, right_class, spread
from gpunet.metrics.metric import Metric

Average = Literal["macro", "micro", "weighted", "binary"] | None


class ConfusionMatrix(Metric):
    """How often each class was taken for each: rows are the right classes, columns the chosen ones.

    Args:
        normalize: None for counts; "true", "pred" or "all" for shares of each row, of each column, or of the whole.
        threshold: of a single output, above it means class 1: 0 for logits, 0.5 for probabilities.
        name: how the history and the displays call it.

    Shape:
        As `Accuracy`. The value is an array [C, C].

    Raises:
        ValueError: normalize is something else.

    Examples:
        >>> matrix = metrics.ConfusionMatrix()
        >>> matrix.update(gpunet.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), gpunet.tensor([1, 1, 0]))
        >>> matrix.compute()
        array([[0., 1.],
               [1., 1.]])
    """

    def __init__(self, normalize: Literal["true", "pred", "all"] | None = None, threshold: float = 0.0,
                 name: str = "confusion_matrix") -> None:
        super().__init__(name)
        if normalize not in (None, "true", "pred", "all"):
            raise ValueError(f"ConfusionMatrix: normalize must be 'true', 'pred', 'all' or None, not {normalize!r}.")
        self.normalize, self.threshold = normalize, threshold

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        classes = output.shape[1] if output.ndim > 1 and output.shape[1] > 1 else 2
        counts = self.total("counts", output, (classes, classes))
        chosen, right = chosen_class(output, self.threshold).to(int64), right_class(target, output).to(int64)
        place = (right * classes + chosen).reshape(-1)
        each = counts.new_ones(place.shape) if weight is None else spread(weight, right).reshape(-1).to(counts.dtype)
        counts.view(-1).scatter_add_(0, place, each)

    def counts(self) -> np.ndarray:
        """The counts, [C, C]."""
        return self.read("counts")

    def compute(self) -> Any:
        counts = self.counts()
        if self.normalize is None:
            return counts
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        return _share(counts, counts.sum(axis, keepdims=True))


class _OfCounts(ConfusionMatrix):
    """A number for each class that follows from the confusion matrix."""

    better = "max"

    def __init__(self, average: Average = "macro", threshold: float = 0.0, name: str | None = None) -> None:
        kind = type(self).__name__.lower()
        super().__init__(None, threshold, name or kind)
        if average not in ("macro", "micro", "weighted", "binary", None):
            raise ValueError(f"{type(self).__name__}: average must be 'macro', 'micro', 'weighted', 'binary' or None, "
                             f"not {average!r}.")
        self.average = average

    def share(self, hits: np.ndarray, chosen: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The number of each class, from how often it was chosen rightly, chosen at all, and right."""
        raise NotImplementedError

    def compute(self) -> Any:
        counts = self.counts()
        hits, chosen, right = np.diag(counts), counts.sum(0), counts.sum(1)
        if self.average == "micro":
            return float(self.share(hits.sum(), chosen.sum(), right.sum()))
        each = self.share(hits, chosen, right)
        if self.average is None:
            return each
        if self.average == "binary":
            if len(each) != 2:
                raise ValueError(f"{self.name}: average='binary' is for two classes, and there are {len(each)}.")
            return float(each[1])
        if self.average == "weighted":
            return float((each * right).sum() / right.sum())
        return float(each[(chosen + right) > 0].mean())  # as scikit-learn: over the classes that occur


class Precision(_OfCounts):
    """Of the examples for which a class was chosen, the share that is of this class.

    Args:
        average: "macro", the mean over the classes that occur; "weighted", the same by how often each occurs; "micro",
            over all examples; "binary", of class 1 of two; None, an array with a number for each class.
        threshold: of a single output, above it means class 1: 0 for logits, 0.5 for probabilities.
        name: how the history and the displays call it; None for "precision".

    Shape:
        As `Accuracy`.

    Raises:
        ValueError: average is something else.

    Examples:
        >>> precision = metrics.Precision("binary")
        >>> precision.update(gpunet.tensor([2.0, 1.0, -1.0]), gpunet.tensor([1, 0, 1]))
        >>> precision.compute()
        0.5
    """

    def share(self, hits: np.ndarray, chosen: np.ndarray, right: np.ndarray) -> np.ndarray:
        return _share(hits, chosen)


class Recall(_OfCounts):
    """Of the examples of a class, the share for which it was chosen.

    Args:
        average: as for `Precision`.
        threshold: of a single output, above it means class 1: 0 for logits, 0.5 for probabilities.
        name: how the history and the displays call it; None for "recall".

    Shape:
        As `Accuracy`.

    Raises:
        ValueError: average is something else.

    Examples:
        >>> recall = metrics.Recall("binary")
        >>> recall.update(gpunet.tensor([2.0, 1.0, -1.0]), gpunet.tensor([1, 0, 1]))
        >>> recall.compute()
        0.5
    """

    def share(self, hits: np.ndarray, chosen: np.ndarray, right: np.ndarray) -> np.ndarray:
        return _share(hits, right)


class F1(_OfCounts):
    """The harmonic mean of precision and recall.

    Args:
        average: as for `Precision`.
        threshold: of a single output, above it means class 1: 0 for logits, 0.5 for probabilities.
        name: how the history and the displays call it; None for "f1".

    Shape:
        As `Accuracy`.

    Raises:
        ValueError: average is something else.

    Examples:
        >>> f1 = metrics.F1()
        >>> f1.update(gpunet.tensor([[0.1, 0.9], [0.8, 0.2]]), gpunet.tensor([1, 0]))
        >>> f1.compute()
        1.0
    """

    def share(self, hits: np.ndarray, chosen: np.ndarray, right: np.ndarray) -> np.ndarray:
        return _share(2 * hits, chosen + right)


def _share(part: Any, whole: Any) -> Any:
    """part / whole, and 0 where both are 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(np.shape(part), np.shape(whole))),
                     where=np.asarray(whole) > 0)
