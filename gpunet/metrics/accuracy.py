"""Accuracy: how often the model is right."""

from __future__ import annotations

from typing import Any, Self

import gpunet
from gpunet import Tensor
from gpunet.dtypes import float64, int64
from gpunet.engine.extensions import extensions
from gpunet.metrics.classes import at_hand, chosen_class, right_class, spread
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

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._known = {"total": 0.0, "count": 0.0}  # what has been added up on the host

    def each(self, output: Any, target: Any) -> Tensor:
        """The number of each example, or of each of its elements.

        Args:
            output: what the model gave.
            target: what it should have given.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define each.")

    def update(self, output: Any, target: Any, weight: Tensor | None = None) -> None:
        each = self.each(output, target)
        if weight is None:
            self._add("total", each.sum(), each)
            count = self.total("count", each)  # made before a recording, which would make it anew in each replay
            if not self.replayed and extensions.recorder is None:
                self._known["count"] += each.numel()
            else:
                count.add_(each.numel())
        else:
            weight = spread(weight, each)
            self._add("total", (each * weight).sum(), each)
            self._add("count", weight.sum(), each)

    def _add(self, name: str, value: Tensor, like: Tensor) -> None:
        # Sums of whole numbers have a total of their own, and others are cast: adding one type to another is slow.
        whole = not value.is_floating_point()
        total = self.total(f"whole {name}", like, dtype=int64) if whole else self.total(name, like)
        if not self.replayed and at_hand(value):
            self._known[name] += value.item()
        else:
            total.add_(value if whole else value.double())

    def compute(self) -> float:
        total, count = (self._known[name] + sum(
            [float(self.read(each)) for each in (name, f"whole {name}") if each in self.totals])
                        for name in ("total", "count"))
        if not self.totals:
            raise ValueError(f"{self.name}: there is no batch yet, so it has no value.")
        return total / count if count else 0.0

    def reset(self) -> None:
        super().reset()
        self._known = dict.fromkeys(self._known, 0.0)

    def new(self) -> Self:
        fresh = super().new()
        fresh.reset()
        return fresh

    def state_dict(self) -> dict[str, Any]:
        known = {f"known {name}": gpunet.tensor(value, dtype=float64) for name, value in self._known.items()}
        return {**super().state_dict(), **(known if self.totals else {})}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.reset()
        super().load_state_dict({name: value for name, value in state_dict.items() if not name.startswith("known ")})
        for name in self._known:
            self._known[name] = float(state_dict.get(f"known {name}", 0.0))


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
