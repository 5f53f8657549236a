"""Adagrad, Adadelta, RMSprop, Rprop: a step size of its own for each element."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.ops.optim import adadelta_step, adagrad_step, rmsprop_step, rprop_step
from gpunet.optim.fused import Fused


class Adagrad(Fused):
    """p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(sum of g^2) + eps) (Duchi et al., 2011). As in PyTorch, the state
    is there from the beginning, and the sum starts at initial_accumulator_value."""

    update = adagrad_step

    def __init__(self, params: Iterable, lr: float = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10, foreach=None, *, maximize: bool = False,
                 differentiable: bool = False, fused=None) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"sum": group["initial_accumulator_value"]}

    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        states = [self.state[p] for p in group["params"]]
        self._make_state(group["params"], states, self._first(group))
        self._share_steps(len(self.param_groups) - 1, group["params"], states)


class Adadelta(Fused):
    """Steps as long as the root mean square of the last steps over that of the last gradients, times lr (Zeiler, 2012).
    rho: how much of these means each step keeps."""

    update = adadelta_step

    def __init__(self, params: Iterable, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
                 foreach=None, *, capturable: bool = False, maximize: bool = False,
                 differentiable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"square_avg": 0, "acc_delta": 0}


class RMSprop(Fused):
    """p <- p - lr g / (sqrt(v) + eps), v being the moving mean of g^2, of which each step keeps alpha (Hinton, 2012).

    centered: v less the square of the mean of g (Graves, 2013). momentum: of the steps.
    """

    update = rmsprop_step

    def __init__(self, params: Iterable, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0, momentum: float = 0, centered: bool = False, capturable: bool = False,
                 foreach=None, maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"square_avg": 0, "momentum_buffer": 0 if group["momentum"] > 0 else None,
                "grad_avg": 0 if group["centered"] else None}


class Rprop(Fused):
    """Steps against the gradient's sign, whose sizes grow by etas[1] while the sign stays and shrink by etas[0] when it
    turns, between step_sizes; they start at lr (Riedmiller and Braun, 1993). For whole batches."""

    update = rprop_step

    def __init__(self, params: Iterable, lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False, foreach=None,
                 maximize: bool = False, differentiable: bool = False) -> None:
        super().__init__(params, locals())

    def _first(self, group):
        return {"prev": 0, "step_size": group["lr"]}
