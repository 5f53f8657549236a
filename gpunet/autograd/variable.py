"""Variable, which PyTorch joined with Tensor in version 0.4."""

from __future__ import annotations

from typing import Any

from gpunet._warn import warn
from gpunet.tensor import Tensor

__all__ = ["Variable"]


class _IsTensor(type):
    """The type of Variable: calling it gives a Tensor, and each Tensor is an instance."""

    def __call__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
        if volatile:
            warn("volatile was removed and now has no effect. Use `with gpunet.no_grad():` instead.")
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable: expected a Tensor, got {type(data).__name__}; make one by gpunet.tensor(data)")
        return data.detach().requires_grad_(requires_grad)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_IsTensor):
    """A Tensor that shares memory with another one: all tensors are variables.

    Args:
        data: the tensor.
        requires_grad: whether gradients are collected.
        volatile: has no effect, and warns.

    Examples:
        >>> autograd = gpunet.autograd
        >>> x = autograd.Variable(gpunet.ones(2), requires_grad=True)
        >>> isinstance(x, gpunet.Tensor), x.requires_grad
        (True, True)
    """
