"""Adam and its family: steps along a moving average of the gradient, over one of its size."""

from __future__ import annotations

from typing import Any

from gpunet.ops.optim import adam_step, adamax_step, nadam_step, radam_step
from gpunet.optim.fused import First, Fused, Scalar
from gpunet.optim.optimizer import ParamsT
from gpunet.tensor import Tensor


class Adam(Fused):
    """Adam: steps along a moving average of the gradient, over the root of one of its square. With g the gradient plus
    `weight_decay * p`, in step t:

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        p = p - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015; amsgrad: Reddi et al., "On the
    Convergence of Adam and Beyond", 2018.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        betas: (beta1, beta2), how much of m and of v each step keeps.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        amsgrad: use the largest v so far.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        differentiable: must be False: the update is made in place.
        fused: accepted as in PyTorch, without effect: the update is one kernel anyway.
        decoupled_weight_decay: decay the parameters, not the gradient, as `AdamW` does.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.Adam([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.9000, 1.9000])
    """

    update = adam_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None, decoupled_weight_decay: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay, "foreach": foreach,
                                  "capturable": capturable, "differentiable": differentiable, "fused": fused})

    def _first(self, group: dict[str, Any]) -> First:
        return {"exp_avg": 0, "exp_avg_sq": 0, "max_exp_avg_sq": 0 if group["amsgrad"] else None}


class AdamW(Adam):
    """Adam with decoupled weight decay: before Adam's step with the plain gradient, `p = p - lr * weight_decay * p`.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        betas: (beta1, beta2), how much of Adam's m and v each step keeps.
        eps: added to the denominator.
        weight_decay: how fast the parameters decay.
        amsgrad: use the largest v so far.
        maximize: ascend instead of descending.
        foreach: accepted as in PyTorch, without effect.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        differentiable: must be False: the update is made in place.
        fused: accepted as in PyTorch, without effect: the update is one kernel anyway.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.AdamW([p], lr=0.1, weight_decay=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.8900, 1.8800])
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
                         capturable=capturable, differentiable=differentiable, fused=fused,
                         decoupled_weight_decay=True)


class Adamax(Fused):
    """Adam with a decaying maximum of |g| in place of sqrt(v). With g the gradient plus `weight_decay * p`, in step t:

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, |g| + eps)
        p = p - lr / (1 - beta1^t) * m / u

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, section 7.1.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        betas: (beta1, beta2), how much of m and of u each step keeps.
        eps: added to |g|.
        weight_decay: L2 penalty.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        differentiable: must be False: the update is made in place.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.Adamax([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.9000, 1.9000])
    """

    update = adamax_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize, "foreach": foreach, "differentiable": differentiable,
                                  "capturable": capturable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"exp_avg": 0, "exp_inf": 0}


class NAdam(Fused):
    """Adam with Nesterov's momentum, whose factor in step t is `mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)`.
    With g the gradient plus `weight_decay * p`, m and v as in `Adam`, and M_t the product of the factors up to t:

        m' = mu_{t+1} * m / (1 - M_{t+1}) + (1 - mu_t) * g / (1 - M_t)
        p = p - lr * m' / (sqrt(v / (1 - beta2^t)) + eps)

    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        betas: (beta1, beta2), how much of m and of v each step keeps.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        momentum_decay: how fast the momentum's factor grows.
        decoupled_weight_decay: decay the parameters, not the gradient, as `AdamW` does.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        differentiable: must be False: the update is made in place.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.NAdam([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.8944, 1.8944])
    """

    update = nadam_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "momentum_decay": momentum_decay, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay, "foreach": foreach,
                                  "capturable": capturable, "differentiable": differentiable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"exp_avg": 0, "exp_avg_sq": 0, "mu_product": Scalar(1)}


class RAdam(Fused):
    """Adam that divides by sqrt(v) only once v has seen enough gradients. With m and v as in `Adam`, in step t:

        rho_max = 2 / (1 - beta2) - 1
        rho = rho_max - 2 * t * beta2^t / (1 - beta2^t)
        r = sqrt((rho - 4) (rho - 2) rho_max / ((rho_max - 4) (rho_max - 2) rho))
        p = p - lr * m / (1 - beta1^t) * r * sqrt(1 - beta2^t) / (sqrt(v) + eps)    if rho > 5
        p = p - lr * m / (1 - beta1^t)                                             otherwise

    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        betas: (beta1, beta2), how much of m and of v each step keeps.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        decoupled_weight_decay: decay the parameters, not the gradient, as `AdamW` does.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        differentiable: must be False: the update is made in place.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.RAdam([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.8000, 1.6000])
    """

    update = radam_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
                                  "foreach": foreach, "capturable": capturable, "differentiable": differentiable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"exp_avg": 0, "exp_avg_sq": 0}
