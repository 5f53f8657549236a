"""Whole: optimizers that see all parameters as one vector, and the loss as a function of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gpunet.engine.modes import no_grad
from gpunet.ops.join import cat
from gpunet.optim.line_search import Point
from gpunet.optim.optimizer import Optimizer, ParamsT, one_number
from gpunet.tensor import Tensor


class Whole(Optimizer):
    """Base of LBFGS and NewtonCG. One parameter group, on one device; the state is kept with the first parameter, as in
    PyTorch. They look at losses on the host, so their steps cannot be recorded.

    Args:
        params: tensors, or (name, tensor) pairs.
        defaults: the options.
    """

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        lr = defaults["lr"]
        if not 0.0 <= (one_number(lr) if isinstance(lr, Tensor) else lr):
            raise ValueError(f"Invalid learning rate: {defaults['lr']}")
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(f"{type(self).__name__} doesn't support per-parameter options (parameter groups)")

    @property
    def _parameters(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    @property
    def _own_state(self) -> dict[str, Any]:
        return self.state[self._parameters[0]]

    def _flat(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """One vector; zeros for None."""
        return cat([p.new_zeros(p.numel()) if t is None else t.reshape(-1)
                          for p, t in zip(self._parameters, tensors, strict=True)])

    @no_grad()
    def _move(self, step: float, direction: Tensor) -> None:
        start = 0
        for p in self._parameters:
            p.add_(direction[start : start + p.numel()].reshape(p.shape), alpha=step)
            start += p.numel()

    def _along(self, direction: Tensor, evaluate: Callable[[], tuple[float, Tensor]]) -> Callable[[float], Point]:
        """The loss and its gradient along a direction, from where the parameters are now, to which they return."""
        origin = [p.detach().clone() for p in self._parameters]

        def at(step: float) -> Point:
            self._move(step, direction)
            loss, gradient = evaluate()
            with no_grad():
                for p, old in zip(self._parameters, origin, strict=True):
                    p.copy_(old)
            return Point(step, loss, gradient, dot(gradient, direction))

        return at


def dot(a: Tensor, b: Tensor) -> float:
    return a.dot(b).item()


def largest(a: Tensor) -> float:
    return a.abs().max().item() if a.numel() else 0.0
