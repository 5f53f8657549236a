"""Metrics of the order in which scores put the examples: AUROC and average precision.

They are exact, so they need all scores at once: the scores stay on the device until the value is read.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np

import gpunet
from gpunet import Tensor
from gpunet.metrics.classes import right_class
from gpunet.metrics.metric import Metric


class _Ranking(Metric):
    """A number for each class, one against the rest, from all scores."""

    in_place = False
    better = "max"

    def __init__(self, average: Literal["macro", "weighted"] | None = "macro", name: str | None = None) -> None:
        super().__init__(name or type(self).__name__.lower())
        if average not in ("macro", "weighted", None):
            raise ValueError(f"{type(self).__name__}: average must be 'macro', 'weighted' or None, not {average!r}.")
        self.average = average
        self._parts: list[tuple[Tensor, ...]] = []

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        kept = output.detach(), right_class(target, output)
        self._parts.append(kept if weight is None else (*kept, weight))

    def reset(self) -> None:
        self._parts = []

    def new(self) -> Self:
        fresh = super().new()
        fresh._parts = []
        return fresh

    def state_dict(self) -> dict[str, Any]:
        return {f"part {number}": each for number, each in enumerate(self._joined())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._parts = [tuple(state_dict.values())] if state_dict else []

    def _joined(self) -> tuple[Tensor, ...]:
        if self._parts:  # those of a checkpoint may be on another device
            place = self._parts[-1][0].device
            self._parts = [tuple(gpunet.cat([each.to(place) for each in column])
                                 for column in zip(*self._parts, strict=True))]
        return self._parts[0] if self._parts else ()

    def compute(self) -> Any:
        joined = [each.cpu().double().numpy() for each in self._joined()]
        if not joined:
            raise ValueError(f"{self.name}: there is no batch yet, so it has no value.")
        scores, right = joined[0], joined[1].astype(np.int64)
        weight = joined[2] if len(joined) > 2 else np.ones(len(right))
        if scores.ndim > 1 and scores.shape[1] == 1:
            scores = scores[:, 0]
        if scores.ndim > 1 and scores.shape[1] == 2:
            scores = scores[:, 1] - scores[:, 0]
        if scores.ndim == 1:
            return self.of_class(scores, right == 1, weight)
        scores = _probabilities(scores)
        each = np.array([self.of_class(scores[:, number], right == number, weight)
                         for number in range(scores.shape[1])])
        if self.average is None:
            return each
        if self.average == "weighted":
            return float(np.average(each, weights=[weight[right == number].sum() for number in range(len(each))]))
        return float(each.mean())

    def of_class(self, scores: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
        """The number of one class, from the scores of all examples and which of them are of the class."""
        raise NotImplementedError


class AUROC(_Ranking):
    """The area under the ROC curve: how likely an example of a class has a higher score than one of another.

    It is exact, and keeps all outputs of a pass until it is read; several classes are taken one against the rest, by
    their probabilities: outputs that do not sum to 1 go through a softmax first.

    Args:
        average: "macro" for the mean over the classes, "weighted" for the same by how often each occurs, None for an
            array with a number for each class.
        name: how the history and the displays call it; None for "auroc".

    Shape:
        Output [N] or [N, 1] with targets of 0 and 1, or [N, C] with classes [N].

    Raises:
        ValueError: average is something else.

    Examples:
        >>> area = metrics.AUROC()
        >>> area.update(gpunet.tensor([0.1, 0.4, 0.35, 0.8]), gpunet.tensor([0, 0, 1, 1]))
        >>> area.compute()
        0.75
    """

    def of_class(self, scores: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
        right, wrong = _curves(scores, positive, weight)
        if not right[-1] or not wrong[-1]:
            return float("nan")
        right, wrong = np.concatenate([[0], right]), np.concatenate([[0], wrong])
        return float(np.trapezoid(right, wrong) / (right[-1] * wrong[-1]))


class AveragePrecision(_Ranking):
    """The area under the curve of precision over recall, as the sum of precision times the step of recall.

    It is exact, and keeps all outputs of a pass until it is read; several classes are taken one against the rest.

    Args:
        average: as for `AUROC`.
        name: how the history and the displays call it; None for "average_precision".

    Shape:
        Output [N] or [N, 1] with targets of 0 and 1, or [N, C] with classes [N].

    Raises:
        ValueError: average is something else.

    Examples:
        >>> area = metrics.AveragePrecision()
        >>> area.update(gpunet.tensor([0.1, 0.4, 0.35, 0.8]), gpunet.tensor([0, 0, 1, 1]))
        >>> round(area.compute(), 4)
        0.8333
    """

    def __init__(self, average: Literal["macro", "weighted"] | None = "macro", name: str | None = None) -> None:
        super().__init__(average, name or "average_precision")

    def of_class(self, scores: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> float:
        right, wrong = _curves(scores, positive, weight)
        if not right[-1]:
            return 0.0
        return float((np.diff(right, prepend=0) * right / (right + wrong)).sum() / right[-1])


def _curves(scores: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the positive and of the other examples whose score is at least each distinct score, from the top."""
    order = np.argsort(-scores, kind="stable")
    scores, positive, weight = scores[order], positive[order], weight[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each run of equal scores
    return np.cumsum(weight * positive)[last], np.cumsum(weight * ~positive)[last]


def _probabilities(scores: np.ndarray) -> np.ndarray:
    if (scores >= 0).all() and np.allclose(scores.sum(1), 1, atol=1e-3):
        return scores
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
