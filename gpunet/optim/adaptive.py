"""Adagrad, Adadelta, RMSprop, Rprop: a step size of its own for each element."""

from __future__ import annotations

from typing import Any

from gpunet.ops.optim import adadelta_step, adagrad_step, rmsprop_step, rprop_step
from gpunet.optim.fused import First, Fused
from gpunet.optim.optimizer import ParamsT
from gpunet.tensor import Tensor


class Adagrad(Fused):
    """Divides each element's step by the root of the sum of its squared gradients. With g the gradient plus
    `weight_decay * p`, in step t:

        s = s + g^2
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    As in PyTorch, the state is there from the beginning.

    Source: Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        lr_decay: decay of the learning rate.
        weight_decay: L2 penalty.
        initial_accumulator_value: the first value of s.
        eps: added to the denominator.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        differentiable: must be False: the update is made in place.
        fused: accepted as in PyTorch, without effect.

    Raises:
        ValueError: an option is negative.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.Adagrad([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.9000, 1.9000])
    """

    update = adagrad_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False, fused: bool | None = None) -> None:
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "eps": eps,
                                  "maximize": maximize, "foreach": foreach, "differentiable": differentiable,
                                  "fused": fused})

    def _first(self, group: dict[str, Any]) -> First:
        return {"sum": group["initial_accumulator_value"]}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with options of their own, and makes their state.

        Args:
            param_group: "params", and options that differ from the optimizer's.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        states = [self.state[p] for p in group["params"]]
        self._make_state(group["params"], states, self._first(group))
        self._share_steps(len(self.param_groups) - 1, group["params"], states)


class Adadelta(Fused):
    """Steps whose size follows that of the steps before. With g the gradient plus `weight_decay * p`:

        v = rho * v + (1 - rho) * g^2
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d^2
        p = p - lr * d

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: factor of the step.
        rho: how much of u and v each step keeps, in [0, 1].
        eps: added under the roots.
        weight_decay: L2 penalty.
        foreach: accepted as in PyTorch, without effect.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        maximize: ascend instead of descending.
        differentiable: must be False: the update is made in place.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.Adadelta([p], lr=10.0)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.9684, 1.9684])
    """

    update = adadelta_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0, foreach: bool | None = None, *, capturable: bool = False,
                 maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
                                  "capturable": capturable, "foreach": foreach, "differentiable": differentiable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"square_avg": 0, "acc_delta": 0}


class RMSprop(Fused):
    """Divides each element's step by the root of a moving mean of its squared gradients. With g the gradient plus
    `weight_decay * p`:

        v = alpha * v + (1 - alpha) * g^2
        p = p - lr * g / (sqrt(v) + eps)

    Source: Hinton, "Neural Networks for Machine Learning", lecture 6, 2012; centered: Graves, "Generating Sequences
    with Recurrent Neural Networks", 2013.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: learning rate.
        alpha: how much of v each step keeps.
        eps: added to the denominator.
        weight_decay: L2 penalty.
        momentum: if not 0, p moves by lr * b, where `b = momentum * b + g / (sqrt(v) + eps)`.
        centered: subtract the squared moving mean of g from v, which makes it a variance.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        differentiable: must be False: the update is made in place.

    Raises:
        ValueError: an option is negative.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.RMSprop([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach().round(decimals=3)
        tensor([0., 1.])
    """

    update = rmsprop_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0, momentum: float = 0, centered: bool = False, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay,
                                  "momentum": momentum, "centered": centered, "maximize": maximize, "foreach": foreach,
                                  "capturable": capturable, "differentiable": differentiable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"square_avg": 0, "momentum_buffer": 0 if group["momentum"] > 0 else None,
                "grad_avg": 0 if group["centered"] else None}


class Rprop(Fused):
    """Steps against the gradient's sign, each element with a step size of its own: it grows by etas[1] while the sign
    stays, and shrinks by etas[0] when it turns, in which case the element rests for a step. For whole data sets, not
    for batches.

    Source: Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
    1993.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: the first step size.
        etas: (shrinking factor, growing factor), below and above 1.
        step_sizes: (least, largest) step size.
        capturable: accepted as in PyTorch, without effect: every step can be recorded.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.
        differentiable: must be False: the update is made in place.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.Rprop([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.9000, 1.9000])
    """

    update = rprop_step

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize,
                                  "foreach": foreach, "capturable": capturable, "differentiable": differentiable})

    def _first(self, group: dict[str, Any]) -> First:
        return {"prev": 0, "step_size": group["lr"]}
