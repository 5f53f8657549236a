"""Mixed precision on GPUs: `gpunet.amp` with the device type "cuda" in place of an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpunet import amp
from gpunet.dtypes import dtype as DType
from gpunet.dtypes import float16

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(amp.autocast):
    """`gpunet.autocast("cuda")`: tensors on other devices are left as they are.

    Args:
        enabled: False turns autocast off inside another context.
        dtype: bfloat16 or float16.
        cache_enabled: whether the cast of a weight is kept until the outermost context ends or the weight changes.

    Examples:
        >>> x = gpunet.ones(2, 2)
        >>> with gpunet.cuda.amp.autocast(enabled=False):
        ...     (x @ x).dtype
        gpunet.float32
    """

    def __init__(self, enabled: bool = True, dtype: DType = float16, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`gpunet.amp.GradScaler("cuda")`. Without a GPU it warns, and changes nothing.

    Args:
        init_scale: the factor at first.
        growth_factor: by what the factor is multiplied when it grows; more than 1.
        backoff_factor: by what the factor is multiplied when it shrinks; less than 1.
        growth_interval: number of good steps in a row after which the factor grows.
        enabled: False: the scaler changes nothing.

    Examples:
        >>> gpunet.cuda.amp.GradScaler(enabled=False).get_scale()
        1.0
    """

    def __init__(self, init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def custom_fwd(fwd: Callable[..., Any] | None = None, *, cast_inputs: DType | None = None) -> Any:
    """`gpunet.amp.custom_fwd` with `device_type="cuda"`.

    Args:
        fwd: the forward function of an `autograd.Function`. Without it, the result is a decorator.
        cast_inputs: inside autocast, floating-point tensors are cast to this dtype and autocast is off in the function.

    Examples:
        >>> class Double(gpunet.autograd.Function):
        ...     @staticmethod
        ...     @gpunet.cuda.amp.custom_fwd
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @gpunet.cuda.amp.custom_bwd
        ...     def backward(ctx, g):
        ...         return g * 2
        >>> Double.apply(gpunet.ones(2))
        tensor([2., 2.])
    """
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd: Callable[..., Any]) -> Any:
    """`gpunet.amp.custom_bwd` with `device_type="cuda"`.

    Args:
        bwd: the backward function of an `autograd.Function`.

    Examples:
        >>> class Double(gpunet.autograd.Function):
        ...     @staticmethod
        ...     @gpunet.cuda.amp.custom_fwd
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @gpunet.cuda.amp.custom_bwd
        ...     def backward(ctx, g):
        ...         return g * 2
        >>> x = gpunet.ones(1, requires_grad=True)
        >>> Double.apply(x).backward()
        >>> x.grad
        tensor([2.])
    """
    return amp.custom_bwd(bwd, device_type="cuda")
