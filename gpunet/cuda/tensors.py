"""PyTorch's older constructors for tensors on a GPU. Prefer `gpunet.tensor(values, dtype=..., device="cuda")`."""

from __future__ import annotations

from gpunet import dtypes
from gpunet.legacy_tensors import TensorType

__all__ = ["BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
           "IntTensor", "LongTensor", "ShortTensor"]


class FloatTensor(metaclass=TensorType):
    """A float32 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or a float32 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.FloatTensor([1, 2])
    """

    dtype, device_type = dtypes.float32, "cuda"


class DoubleTensor(metaclass=TensorType):
    """A float64 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or a float64 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.DoubleTensor([1, 2])
    """

    dtype, device_type = dtypes.float64, "cuda"


class HalfTensor(metaclass=TensorType):
    """A float16 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or a float16 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.HalfTensor([1, 2])
    """

    dtype, device_type = dtypes.float16, "cuda"


class BFloat16Tensor(metaclass=TensorType):
    """A bfloat16 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or a bfloat16 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.BFloat16Tensor([1, 2])
    """

    dtype, device_type = dtypes.bfloat16, "cuda"


class LongTensor(metaclass=TensorType):
    """An int64 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or an int64 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.LongTensor([1, 2])
    """

    dtype, device_type = dtypes.int64, "cuda"


class IntTensor(metaclass=TensorType):
    """An int32 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or an int32 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.IntTensor([1, 2])
    """

    dtype, device_type = dtypes.int32, "cuda"


class ShortTensor(metaclass=TensorType):
    """An int16 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or an int16 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.ShortTensor([1, 2])
    """

    dtype, device_type = dtypes.int16, "cuda"


class CharTensor(metaclass=TensorType):
    """An int8 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or an int8 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.CharTensor([1, 2])
    """

    dtype, device_type = dtypes.int8, "cuda"


class ByteTensor(metaclass=TensorType):
    """A uint8 tensor on a GPU.

    Args:
        data: the values in a sequence, an array or a uint8 tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.ByteTensor([1, 2])
    """

    dtype, device_type = dtypes.uint8, "cuda"


class BoolTensor(metaclass=TensorType):
    """A bool tensor on a GPU.

    Args:
        data: the values in a sequence, an array or a bool tensor; or the sizes.
        device: the GPU; None for the current one.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     x = gpunet.cuda.BoolTensor([True, False])
    """

    dtype, device_type = dtypes.bool_, "cuda"
