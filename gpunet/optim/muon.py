"""Muon: steps along the orthogonalised momentum of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gpunet.dtypes import bfloat16
from gpunet.engine.modes import enable_grad, no_grad
from gpunet.ops.products import addmm
from gpunet.optim.optimizer import Optimizer, ParamsT, one_number
from gpunet.tensor import Tensor

__all__ = ["Muon"]

_ADJUSTMENTS: dict[str | None, Callable[[int, int], float]] = {
    None: lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "original": lambda rows, columns: math.sqrt(max(1, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}


class Muon(Optimizer):
    """Momentum whose steps are orthogonalised: a matrix's step has singular values near 1. For the matrices of hidden
    layers; other parameters go to another optimizer, such as `AdamW`. With g the gradient and NS `ns_steps` iterations
    of X = a X + (b X X^T + c (X X^T)^2) X in bfloat16, beginning with X / |X|:

        m = momentum * m + (1 - momentum) * g
        p = p - lr * weight_decay * p
        p = p - lr * scale * NS(m)              (NS(momentum * m + (1 - momentum) * g), if nesterov)

    scale is `sqrt(max(1, rows / columns))`, or with "match_rms_adamw" `0.2 * sqrt(max(rows, columns))`.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; "match_rms_adamw": Liu et
    al., "Muon is Scalable for LLM Training", 2025.

    Args:
        params: matrices, (name, matrix) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        weight_decay: how fast the parameters decay.
        momentum: how much of m each step keeps.
        nesterov: use Nesterov's momentum.
        ns_coefficients: (a, b, c).
        eps: the least norm by which X is divided.
        ns_steps: number of iterations, below 100.
        adjust_lr_fn: "original" (as None) or "match_rms_adamw".

    Raises:
        ValueError: an option is out of range, or a parameter is no matrix.

    Examples:
        >>> w = nn.Parameter(gpunet.eye(2))
        >>> optimizer = optim.Muon([w], lr=0.1, weight_decay=0)
        >>> (w * gpunet.tensor([3.0, 1.0])).sum().backward()
        >>> optimizer.step()
        >>> bool((w < gpunet.eye(2)).any())
        True
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
                 nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None) -> None:
        lr = one_number(lr) if isinstance(lr, Tensor) else lr
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not 0.0 <= value:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in _ADJUSTMENTS:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        if ns_steps >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
                                  "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
                                  "adjust_lr_fn": adjust_lr_fn})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds matrices with options of their own.

        Args:
            param_group: "params", and options that differ from the optimizer's.
        """
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.ndim != 2:
                raise ValueError(f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}")

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters that have a gradient.

        Args:
            closure: computes the loss and its gradients anew, before the update.

        Returns:
            The closure's result; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, p.grad, group)
        return loss

    def _update(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        lr, momentum, state = group["lr"], group["momentum"], self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = gradient.new_zeros(gradient.shape)
        buffer = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        direction = gradient.lerp(buffer, momentum) if group["nesterov"] else buffer
        direction = _orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(direction.to(p.dtype), alpha=-lr * _ADJUSTMENTS[group["adjust_lr_fn"]](*p.shape))


def _orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """About U V^T of a matrix U S V^T, by Newton and Schulz's iteration, in bfloat16."""
    a, b, c = coefficients
    x = matrix.to(bfloat16)
    tall = matrix.shape[0] > matrix.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        square = x @ x.T
        x = addmm(x, addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
