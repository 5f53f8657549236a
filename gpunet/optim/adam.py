"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.ops.optim import adam_step
from gpunet.optim.optimizer import Optimizer, check_at_least_0


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015): steps of size lr along m / (sqrt(v) + eps), m and v being the bias-corrected moving
    averages of the gradient and of its square.

    betas: how much of m and of v each step keeps. weight_decay: added to the gradient as weight_decay * p. amsgrad:
    the largest v so far instead of v (Reddi et al., 2018). maximize: climbs. decoupled_weight_decay: as in AdamW.
    foreach, capturable and fused, PyTorch's choice between its implementations, are ignored: the update is one op (one
    kernel on the GPU) a parameter, and can be recorded.
    """

    def __init__(self, params: Iterable, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, maximize: bool = False, foreach=None,
                 capturable: bool = False, fused=None, decoupled_weight_decay: bool = False) -> None:
        check_at_least_0({"learning rate": lr, "epsilon value": eps, "weight_decay value": weight_decay})
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay})

    def _update(self, index, group, active) -> None:
        beta1, beta2 = group["betas"]
        options = {"beta1": beta1, "beta2": beta2, "eps": group["eps"], "weight_decay": group["weight_decay"],
                   "decoupled": group["decoupled_weight_decay"], "maximize": group["maximize"]}
        amsgrad = group["amsgrad"]
        states = self._take_step(index, active, _NAMES_AMSGRAD if amsgrad else _NAMES)
        for p, state in zip(active, states, strict=True):
            largest = state["max_exp_avg_sq"] if amsgrad else self._nothing(p)
            adam_step.into((p, state["exp_avg"], state["exp_avg_sq"], largest), p.grad, self._rate(index, p._device),
                           state["step"], **options)


_NAMES = ("exp_avg", "exp_avg_sq")
_NAMES_AMSGRAD = (*_NAMES, "max_exp_avg_sq")


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: p <- (1 - lr weight_decay) p (Loshchilov and Hutter, 2019)."""

    def __init__(self, params: Iterable, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach=None,
                 capturable: bool = False, fused=None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)
