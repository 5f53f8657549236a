"""Stochastic gradient descent, and its averaged form."""

from __future__ import annotations

from typing import Any

from gpunet.ops.optim import asgd_step, sgd_step
from gpunet.optim.fused import First, Fused, Scalar
from gpunet.optim.optimizer import ParamsT
from gpunet.tensor import Tensor


class SGD(Fused):
    """Stochastic gradient descent, with momentum if wanted. With g the gradient plus `weight_decay * p`:

        v = momentum * v + (1 - dampening) * g    (v = g in the first step)
        p = p - lr * v                            (g + momentum * v instead of v, if nesterov)

    Source: Sutskever et al., "On the Importance of Initialization and Momentum in Deep Learning", 2013.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        momentum: how much of v each step keeps.
        dampening: how much less of the gradient goes into v.
        weight_decay: L2 penalty.
        nesterov: use Nesterov's momentum.
        maximize: ascend instead of descending.
        foreach: accepted as in PyTorch, without effect.
        differentiable: must be False: the update is made in place.
        fused: accepted as in PyTorch, without effect.

    Raises:
        ValueError: an option is negative, or nesterov without momentum or with dampening.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.8000, 1.6000])
    """

    update = sgd_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
                                  "differentiable": differentiable, "fused": fused})
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def _first(self, group: dict[str, Any]) -> First:
        return {"momentum_buffer": 0 if group["momentum"] else None}

    # PyTorch keeps no count of steps: where there is a buffer, the first step has been taken.

    def _kept(self, group: dict[str, Any]) -> set[str] | None:
        """The names of the state that `state_dict` has of each parameter after a step with a group's options."""
        return {name for name, value in self._first(group).items() if value is not None}

    def _shown_state(self, state: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in state.items() if name != "step"}

    def _load_state(self, p: Tensor, given: dict[str, Any], shared: dict[Any, Any]) -> dict[str, Any]:
        if given.get("momentum_buffer") is None:
            return {}
        return super()._load_state(p, {"step": 1.0, **given}, shared)


class ASGD(Fused):
    """Averaged stochastic gradient descent. With g the gradient plus `weight_decay * p`, in step t:

        eta = lr / (1 + lambd * lr * (t - 1))^alpha
        p = (1 - lambd * eta) * p - eta * g

    After step t0, the state "ax" holds the mean of p since then.

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        lambd: decay of parameters and of the rate.
        alpha: power of the rate's decay.
        t0: the step at which averaging starts.
        weight_decay: L2 penalty.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        differentiable: must be False: the update is made in place.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.

    Raises:
        ValueError: an option is negative.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.ASGD([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.8000, 1.6000])
    """

    update = asgd_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
                 t0: float = 1e6, weight_decay: float = 0, foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
                                  "maximize": maximize, "foreach": foreach, "differentiable": differentiable,
                                  "capturable": capturable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"ax": 0, "eta": Scalar(group["lr"]), "mu": Scalar(1)}
