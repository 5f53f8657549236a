"""Stochastic gradient descent, and its averaged form."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.ops.optim import asgd_step, sgd_step
from gpunet.optim.fused import Fused, Scalar


class SGD(Fused):
    """p <- p - lr v, with v <- momentum v + (1 - dampening) g and v = g in the first step (Sutskever et al., 2013).

    weight_decay: added to the gradient as weight_decay * p. nesterov: the step is g + momentum v instead of v.
    maximize: climbs.
    """

    update = sgd_step

    def __init__(self, params: Iterable, lr: float = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False, foreach=None,
                 differentiable: bool = False, fused=None) -> None:
        super().__init__(params, locals())
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def _first(self, group):
        return {"momentum_buffer": 0 if group["momentum"] else None}

    # PyTorch keeps no count of steps: where there is a buffer, the first step has been taken.

    def _shown_state(self, state):
        return {name: value for name, value in state.items() if name != "step"}

    def _load_state(self, p, given, shared):
        if given.get("momentum_buffer") is None:
            return {}
        return super()._load_state(p, {"step": 1.0, **given}, shared)


class ASGD(Fused):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992): p <- (1 - lambd eta) p - eta g, with
    eta = lr / (1 + lambd lr t)^alpha; from step t0 on, "ax" in the state is the mean of p."""

    update = asgd_step

    def __init__(self, params: Iterable, lr: float = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
                 weight_decay: float = 0, foreach=None, maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"ax": 0, "eta": Scalar(group["lr"]), "mu": Scalar(1)}
