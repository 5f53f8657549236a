"""Parameters and buffers: tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from gpunet import dtypes
from gpunet.nn.common_types import Device, DType
from gpunet.ops import creation
from gpunet.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is trained: as an attribute of a Module it is one of its `parameters()`. What operations make of it
    are plain tensors.

    Args:
        data: a tensor, whose memory the parameter shares; numbers or nested lists are copied. None: an empty tensor.
        requires_grad: whether gradients are collected.

    Raises:
        RuntimeError: gradients are wanted for a tensor that is not floating point.

    Examples:
        >>> nn.Parameter(gpunet.tensor([1.0, 2.0]))
        Parameter containing:
        tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()
    _propagates = False

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Self:
        parameter = Tensor.__new__(cls, () if data is None else data)
        if requires_grad:
            parameter.requires_grad_()
        return parameter

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that belongs to a Module without being trained, such as a running mean.

    Args:
        data: a tensor, whose memory the buffer shares; numbers or nested lists are copied. None: an empty tensor.
        persistent: whether it is part of the Module's `state_dict()`.

    Examples:
        >>> module = nn.Module()
        >>> module.mean = nn.Buffer(gpunet.zeros(2))
        >>> list(module.state_dict())
        ['mean']
    """

    __slots__ = ()
    _propagates = False
    persistent = True

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Self:
        buffer = Tensor.__new__(cls, () if data is None else data)
        buffer.persistent = persistent
        return buffer


# ---- without a shape yet -------------------------------------------------------------------------------------------


class _Uninitialized:
    """What parameters and buffers of lazy modules are before the first call: a device and a type, without elements."""

    __slots__ = ()
    _like: Tensor  # an empty tensor that has the device and the type
    becomes: type

    @property
    def _array(self) -> Any:
        raise RuntimeError(f"the {type(self).__name__} of a lazy module has no shape and no values before the first "
                           "call of the module; call the model once on an input before using its parameters")

    @property
    def _device(self) -> Any:
        return self._like._device

    @property
    def dtype(self) -> dtypes.dtype:
        """The type that the elements will have."""
        return self._like.dtype

    def _move(self, fn: Any) -> None:
        self._like = fn(self._like)

    def materialize(self, shape: Sequence[int], device: Device = None, dtype: DType = None) -> None:
        """Gives it its shape, and memory without set values: from now on it is like any other.

        Args:
            shape: the shape.
            device: the device; the one it was made for by default.
            dtype: the type; the one it was made for by default.
        """
        like = self.__dict__.pop("_like")
        self.__class__ = self.becomes
        made: Any = self
        made.data = creation.empty(shape, device=device or like.device, dtype=dtype or like.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copy = memo[id(self)] = _uninitialized(type(self), self._like, getattr(self, "_requires_grad", False))
        return copy

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _uninitialized, (type(self), self._like, getattr(self, "_requires_grad", False))


def _uninitialized(cls: Any, like: Tensor, requires_grad: bool) -> Any:
    tensor = object.__new__(cls)
    tensor._version, tensor._requires_grad, tensor._like = [0], requires_grad, like
    tensor._node = tensor._view = tensor.grad = None
    return tensor


def _like(device: Any, dtype: Any) -> Tensor:
    return creation.empty(0, device=device, dtype=dtype)


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet, as lazy modules have. Its values cannot be used before `materialize`.

    Args:
        requires_grad: whether gradients are collected.
        device: where it will be.
        dtype: the type that it will have.

    Examples:
        >>> nn.LazyLinear(2).weight
        <UninitializedParameter>
    """

    __slots__ = ()
    becomes = Parameter

    def __new__(cls, requires_grad: bool = True, device: Device = None, dtype: DType = None) -> Self:
        return _uninitialized(cls, _like(device, dtype), requires_grad)


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer whose shape is not known yet, as lazy modules have. Its values cannot be used before `materialize`.

    Args:
        requires_grad: whether gradients are collected.
        device: where it will be.
        dtype: the type that it will have.
        persistent: whether it is part of the Module's `state_dict()`.

    Examples:
        >>> nn.LazyBatchNorm1d().running_mean
        <UninitializedBuffer>
    """

    __slots__ = ()
    _propagates = False
    becomes = Tensor

    def __new__(cls, requires_grad: bool = False, device: Device = None, dtype: DType = None,
                persistent: bool = True) -> Self:
        return _uninitialized(cls, _like(device, dtype), requires_grad)


def is_lazy(param: object) -> bool:
    """Whether it is a parameter or buffer that has no shape yet.

    Args:
        param: anything.

    Returns:
        True for an UninitializedParameter or UninitializedBuffer.

    Examples:
        >>> nn.parameter.is_lazy(nn.LazyLinear(2).weight), nn.parameter.is_lazy(nn.Linear(2, 2).weight)
        (True, False)
    """
    return isinstance(param, _Uninitialized)
