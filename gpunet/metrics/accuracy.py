"""Accuracy: how often the model is right."""

from __future__ import annotations

from typing import Any

from gpunet import Tensor
from gpunet.metrics.classes import chosen_class, right_class, spread
from gpunet.metrics.metric import Metric


class Mean(Metric):
    """The mean of one number an example; a subclass defines `each`.

    Args:
        name: how the history and the displays call it.

    Examples:
        >>> class Above(metrics.Mean):
        ...     def each(self, output, target):
        ...         return output > target
        >>> above = Above("above")
        >>> above.update(gpunet.tensor([1.0, 5.0]), gpunet.tensor([2.0, 2.0]))
        >>> above.compute()
        0.5
    """

    def each(self, output: Any, target: Any) -> Tensor:
        """The number of each example, or of each of its elements.

        Args:
            output: what the model gave.
            target: what it should have given.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define each.")

    def update(self, output: Any, target: Any, weight: Tensor | None = None) -> None:
        each = self.each(output, target)
        total, count = self.total("total", each), self.total("count", each)
        if weight is None:
            total.add_(each.sum())
            count.add_(each.numel())
        else:
            weight = spread(weight, each)
            total.add_((each * weight).sum())
            count.add_(weight.sum())

    def compute(self) -> float:
        total, count = float(self.read("total")), float(self.read("count"))
        return total / count if count else 0.0


class Accuracy(Mean):
    """The share of examples whose class is right.

    Args:
        threshold: of a single output, above it means class 1: 0 for logits, 0.5 for probabilities.
        name: how the history and the displays call it.

    Shape:
        Output [N, C, ...] with classes [N, ...] or one-hot targets [N, C, ...]; or output [N] or [N, 1] with targets
        of 0 and 1.

    Examples:
        >>> accuracy = metrics.Accuracy()
        >>> accuracy.update(gpunet.tensor([[0.1, 0.9], [0.8, 0.2]]), gpunet.tensor([1, 1]))
        >>> accuracy.compute()
        0.5
    """

    better = "max"

    def __init__(self, threshold: float = 0.0, name: str = "accuracy") -> None:
        super().__init__(name)
        self.threshold = threshold

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        return chosen_class(output, self.threshold) == right_class(target, output)


class TopK(Mean):
    """The share of examples whose class is among the k largest outputs.

    Args:
        k: how many.
        name: how the history and the displays call it; None for "top_k".

    Shape:
        Output [N, C], classes [N] or one-hot targets [N, C].

    Examples:
        >>> top = metrics.TopK(2)
        >>> top.update(gpunet.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]), gpunet.tensor([1, 2]))
        >>> top.name, top.compute()
        ('top_2', 0.5)
    """

    better = "max"

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        super().__init__(name or f"top_{k}")
        self.k = k

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        best = output.topk(min(self.k, output.shape[1]), dim=1).indices
        return (best == right_class(target, output).unsqueeze(1)).any(1)
