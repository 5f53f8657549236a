"""Adafactor: the mean square of a matrix's gradient, kept as one row and one column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpunet.dtypes import float32, float64
from gpunet.engine.modes import enable_grad, no_grad
from gpunet.number_types import finfo
from gpunet.ops.creation import zeros
from gpunet.optim.optimizer import Optimizer, ParamsT, one_number
from gpunet.tensor import Tensor

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Steps along the gradient over the root of its mean square, which for a matrix is kept as a column R of the rows'
    means and a row C of the columns' means. With g the gradient, rms(x) = |x| / sqrt(number of elements), in step t:

        a = max(eps[1], rms(p)) * min(lr, 1 / sqrt(t))
        p = p - lr * weight_decay * p
        R = R + (mean of g^2 over each row - R) * t^beta2_decay;  C likewise, over each column
        v = R C / max(mean(R), eps[0])
        u = g / max(sqrt(v), eps[0])
        p = p - a * u / max(1, rms(u) / d)

    For parameters of less than two dimensions v itself is kept: `v = v + (g^2 - v) * t^beta2_decay`.

    Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018; where the rate
    and eps go is PyTorch's.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        lr: the largest relative step, and the factor of weight decay.
        beta2_decay: how the weight of the newest gradient falls with t; at most 0.
        eps: (least root of v, least rms of a parameter); None in the first place: the smallest eps of its type.
        d: the rms from which on u is cut down.
        weight_decay: how fast the parameters decay.
        foreach: accepted as in PyTorch, without effect.
        maximize: ascend instead of descending.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.Adafactor([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> optimizer.step()
        >>> p.detach()
        tensor([0.8419, 1.8419])
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
                 foreach: bool | None = None, maximize: bool = False) -> None:
        lr = one_number(lr) if isinstance(lr, Tensor) else lr
        for name, value, least in (("Learning rate", lr, 0), ("epsilon1", eps[0] or 0, 0), ("epsilon2", eps[1], 0),
                                   ("weight_decay", weight_decay, 0), ("Clipping threshold d", d, 1)):
            if not least <= value:
                raise ValueError(f"{name} should be >= {least} but is: {value}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
                                  "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize})

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
                    self._update(p, -p.grad if group["maximize"] else p.grad, group)
        return loss

    def _update(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, lr, eps = self.state[p], group["lr"], group["eps"][0]
        if not state:
            state["step"] = zeros((), dtype=float32, device=p.device)
            if gradient.ndim > 1:
                *batch, rows, columns = gradient.shape
                state["row_var"] = gradient.new_zeros((*batch, rows, 1))
                state["col_var"] = gradient.new_zeros((*batch, 1, columns))
            else:
                state["variance"] = gradient.new_zeros(gradient.shape)
        eps = finfo(p.dtype).eps if eps is None else eps
        # Tensors, not numbers: nothing waits for the device, and a recorded step counts on.
        step = state["step"].add_(1).to(float64)
        newest = (step ** group["beta2_decay"]).to(p.dtype)
        rate = (1 / step.sqrt()).clamp(max=lr) * _rms(p).to(float64).clamp(min=group["eps"][1])
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * group["weight_decay"])
        square = gradient * gradient
        if gradient.ndim > 1:
            row = state["row_var"].lerp_(square.mean(-1, keepdim=True), newest)
            column = state["col_var"].lerp_(square.mean(-2, keepdim=True), newest)
            variance = row @ column / row.mean(-2, keepdim=True).clamp(min=eps)
        else:
            variance = state["variance"].lerp_(square, newest)
        update = variance.clamp(min=eps * eps).rsqrt() * gradient
        rate = rate / (_rms(update).to(float64) / group["d"]).clamp(min=1)
        p.sub_(update * rate.to(p.dtype))

    def _load_state(self, p: Tensor, given: dict[str, Any], shared: dict[Any, Any]) -> dict[str, Any]:
        state = super()._load_state(p, given, shared)
        if "step" in state:
            state["step"] = zeros((), dtype=float32, device=p.device).fill_(float(given["step"]))
        return state


def _rms(x: Tensor) -> Tensor:
    return x.norm() / x.numel() ** 0.5
