"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.ops.optim import sgd_step
from gpunet.optim.optimizer import Optimizer, check_at_least_0


class SGD(Optimizer):
    """p <- p - lr v, with v <- momentum v + (1 - dampening) g and v = g in the first step (Sutskever et al., 2013).

    weight_decay: added to the gradient as weight_decay * p. nesterov: the step is g + momentum v instead of v.
    maximize: climbs. foreach and fused, PyTorch's choice between its implementations, are ignored: the update is one op
    (one kernel on the GPU) a parameter.
    """

    def __init__(self, params: Iterable, lr: float = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False, foreach=None,
                 fused=None) -> None:
        check_at_least_0({"learning rate": lr, "momentum value": momentum, "weight_decay value": weight_decay})
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize})

    def _update(self, index, group, active) -> None:
        options = {name: group[name] for name in ("momentum", "dampening", "weight_decay", "nesterov", "maximize")}
        if not group["momentum"]:
            for p in active:
                rate = self._rate(index, p._device)
                sgd_step.into((p, self._nothing(p)), p.grad, rate, rate, **options)  # the step's number does not matter
            return
        states = self._take_step(index, active, ("momentum_buffer",))
        for p, state in zip(active, states, strict=True):
            sgd_step.into((p, state["momentum_buffer"]), p.grad, self._rate(index, p._device), state["step"], **options)

    def _load_state(self, p, given, steps):
        # PyTorch keeps no count: where there is a buffer, the first step has been taken.
        if given.get("momentum_buffer") is None:
            return {}
        return super()._load_state(p, {"step": 1.0, **given}, steps)
