"""Perplexity: of language models."""

from __future__ import annotations

import math

from gpunet import Tensor
from gpunet.metrics.classes import spread
from gpunet.metrics.metric import Metric
from gpunet.nn.functional import cross_entropy


class Perplexity(Metric):
    """exp(mean cross-entropy): among how many tokens a model that guesses evenly would choose.

    Args:
        ignore_index: targets of this number do not count.
        name: how the history and the displays call it.

    Shape:
        Output [N, C, ...], before a softmax; targets [N, ...].

    Examples:
        >>> perplexity = metrics.Perplexity()
        >>> perplexity.update(gpunet.zeros(2, 4, 3), gpunet.zeros(2, 3, dtype=gpunet.int64))
        >>> round(perplexity.compute(), 4)
        4.0
    """

    better = "min"

    def __init__(self, ignore_index: int = -100, name: str = "perplexity") -> None:
        super().__init__(name)
        self.ignore_index = ignore_index

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        each = cross_entropy(output, target, ignore_index=self.ignore_index, reduction="none")
        counted = (target != self.ignore_index).to(each.dtype)
        if weight is not None:
            counted = counted * spread(weight, counted)
        self.total("loss", each).add_((each * counted).sum())
        self.total("count", each).add_(counted.sum())

    def compute(self) -> float:
        loss, count = float(self.read("loss")), float(self.read("count"))
        try:
            return math.exp(loss / count) if count else float("nan")
        except OverflowError:
            return math.inf
