"""Questions about types and tensors that programs ask now and then."""

from __future__ import annotations

from typing import Any

from gpunet import dtypes
from gpunet.dispatch import is_tensor
from gpunet.dtypes import dtype

__all__ = ["can_cast", "is_nonzero", "result_type", "typename"]


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The type of the sum of two tensors or numbers.

    Args:
        tensor1: a tensor or a number.
        tensor2: a tensor or a number.

    Returns:
        The type.

    Examples:
        >>> gpunet.result_type(gpunet.ones(2, dtype=gpunet.int32), 1.5)
        gpunet.float32
    """
    ranks = [(x._array.dtype, 2 if x._array.ndim else 1) if is_tensor(x) else (dtypes.scalar_type(x), 0)
             for x in (tensor1, tensor2)]
    return dtypes.public(dtypes.result_type(*ranks))


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether values of one type may be stored in a tensor of another: not those of floating-point types in integers,
    nor numbers in bools.

    Args:
        from_: the type of the values.
        to: the type of the tensor.

    Returns:
        True or False.

    Examples:
        >>> gpunet.can_cast(gpunet.float64, gpunet.float32), gpunet.can_cast(gpunet.float32, gpunet.int64)
        (True, False)
    """
    return dtypes.can_cast(dtypes.as_numpy(from_), dtypes.as_numpy(to))


def is_nonzero(input: Any) -> bool:
    """Whether the only element of a tensor is not 0.

    Args:
        input: a tensor of one element.

    Returns:
        True or False.

    Raises:
        RuntimeError: the tensor has more elements, or none.

    Examples:
        >>> gpunet.is_nonzero(gpunet.tensor([0.5]))
        True
    """
    return bool(input)


def typename(obj: Any, /) -> str:
    """The name of an object's class, with its module; of a tensor the older name of its type.

    Args:
        obj: anything.

    Returns:
        The name.

    Examples:
        >>> gpunet.typename(gpunet.ones(1))
        'gpunet.FloatTensor'
    """
    if is_tensor(obj):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
