"""Adam and its family: steps along a moving average of the gradient, over one of its size."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.ops.optim import adam_step, adamax_step, nadam_step, radam_step
from gpunet.optim.fused import Fused, Scalar


class Adam(Fused):
    """Adam (Kingma and Ba, 2015): steps of size lr along m / (sqrt(v) + eps), m and v being the bias-corrected moving
    averages of the gradient and of its square.

    betas: how much of m and of v each step keeps. weight_decay: added to the gradient as weight_decay * p. amsgrad:
    the largest v so far instead of v (Reddi et al., 2018). maximize: climbs. decoupled_weight_decay: as in AdamW.
    """

    update = adam_step

    def __init__(self, params: Iterable, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, foreach=None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False, fused=None,
                 decoupled_weight_decay: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"exp_avg": 0, "exp_avg_sq": 0, "max_exp_avg_sq": 0 if group["amsgrad"] else None}


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: p <- (1 - lr weight_decay) p (Loshchilov and Hutter, 2019)."""

    def __init__(self, params: Iterable, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach=None,
                 capturable: bool = False, differentiable: bool = False, fused=None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize,
                         differentiable=differentiable, decoupled_weight_decay=True)


class Adamax(Fused):
    """Adam over the largest gradient of late instead of the root of the mean square (Kingma and Ba, 2015, section 7):
    u <- max(betas[1] u, |g| + eps), p <- p - lr / (1 - betas[0]^t) m / u."""

    update = adamax_step

    def __init__(self, params: Iterable, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, foreach=None, *, maximize: bool = False, differentiable: bool = False,
                 capturable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"exp_avg": 0, "exp_inf": 0}


class NAdam(Fused):
    """Adam with Nesterov's momentum, whose factor grows as betas[0] (1 - 0.96^(t momentum_decay) / 2) (Dozat, 2016)."""

    update = nadam_step

    def __init__(self, params: Iterable, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
                 foreach=None, maximize: bool = False, capturable: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"exp_avg": 0, "exp_avg_sq": 0, "mu_product": Scalar(1)}


class RAdam(Fused):
    """Adam whose adaptive step is held back until the mean square has seen enough gradients (Liu et al., 2020)."""

    update = radam_step

    def __init__(self, params: Iterable, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach=None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"exp_avg": 0, "exp_avg_sq": 0}
