"""LBFGS: a quasi-Newton method of limited memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpunet.engine.modes import enable_grad, no_grad
from gpunet.optim.line_search import Point, strong_wolfe
from gpunet.optim.optimizer import ParamsT
from gpunet.optim.whole import Whole, dot, largest
from gpunet.tensor import Tensor


class LBFGS(Whole):
    """L-BFGS: steps along `-H g`, where H approximates the inverse Hessian by the last steps and changes of the
    gradient.

    One call of `step(closure)` does several iterations. It stops early where no element of the gradient exceeds
    tolerance_grad, or where neither parameters nor loss change by more than tolerance_change.

    Source: Liu and Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989; Nocedal and Wright,
    "Numerical Optimization", 2006, algorithm 7.4. Stopping rules and first step are PyTorch's.

    Args:
        params: tensors, or (name, tensor) pairs; one group.
        lr: the step's length, or the first length that the line search tries.
        max_iter: iterations in a call of `step`.
        max_eval: evaluations of the closure in a call of `step`; None for max_iter * 5 // 4.
        tolerance_grad: see above.
        tolerance_change: see above.
        history_size: how many steps are remembered.
        line_search_fn: None for steps of lr, or "strong_wolfe".

    Raises:
        ValueError: several parameter groups, or a negative learning rate.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.LBFGS([p], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((p - 3) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> loss = optimizer.step(closure)
        >>> p.detach()
        tensor([3.0000, 3.0000])
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        super().__init__(params, {"lr": lr, "max_iter": max_iter,
                                  "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
                                  "history_size": history_size, "line_search_fn": line_search_fn})

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Does up to max_iter iterations.

        Args:
            closure: clears the gradients, computes the loss, calls backward() and returns the loss.

        Returns:
            The loss before the first iteration.

        Raises:
            RuntimeError: line_search_fn is unknown.
        """
        group, state = self.param_groups[0], self._own_state
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        for name in ("func_evals", "n_iter"):
            state.setdefault(name, 0)
        allowed = state["func_evals"] + group["max_eval"]
        first_loss = None

        def evaluate() -> tuple[float, Tensor]:
            nonlocal first_loss
            with enable_grad():
                loss = closure()
            first_loss = loss if first_loss is None else first_loss
            state["func_evals"] += 1
            return float(loss), self._flat([p.grad for p in self._parameters])

        loss, gradient = evaluate()
        for left in range(group["max_iter"] - 1, -1, -1):
            if largest(gradient) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            begun, before = state["n_iter"] > 1, loss
            direction = self._direction(gradient, group["history_size"], begun)
            rate = group["lr"] if begun else min(1.0, 1.0 / gradient.abs().sum().item()) * group["lr"]
            slope = dot(gradient, direction)
            state.update(d=direction, t=rate, prev_flat_grad=gradient, prev_loss=before)
            if slope > -group["tolerance_change"]:
                break
            if group["line_search_fn"]:
                point = strong_wolfe(self._along(direction, evaluate), Point(0, loss, gradient, slope), rate,
                                     longest=largest(direction), most=allowed - state["func_evals"])
                rate, loss, gradient = point.step, point.loss, point.gradient
            self._move(rate, direction)
            if not group["line_search_fn"] and left:  # after the last step nobody would look at it
                loss, gradient = evaluate()
            state["t"] = rate
            if (state["func_evals"] >= allowed or largest(direction) * abs(rate) <= group["tolerance_change"]
                    or left and abs(loss - before) < group["tolerance_change"]):
                break
        return first_loss

    def _direction(self, gradient: Tensor, history_size: int, begun: bool) -> Tensor:
        """-H g by the two loops over the history (Nocedal and Wright, 2006, Algorithm 7.4)."""
        state = self._own_state
        if not begun:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change, step = gradient - state["prev_flat_grad"], state["d"] * float(state["t"])
        product = dot(change, step)
        if product > 1e-10:
            if len(changes) == history_size:
                for kept in (changes, steps, inverses):
                    kept.pop(0)
            changes.append(change)
            steps.append(step)
            inverses.append(1.0 / product)
            state["H_diag"] = product / dot(change, change)
        inverses = [float(x) for x in inverses]
        direction, shares = -gradient, [0.0] * len(changes)
        for i in reversed(range(len(changes))):
            shares[i] = dot(steps[i], direction) * inverses[i]
            direction.add_(changes[i], alpha=-shares[i])
        direction.mul_(float(state["H_diag"]))
        for i in range(len(changes)):
            direction.add_(steps[i], alpha=shares[i] - dot(changes[i], direction) * inverses[i])
        return direction
