"""How exactly a GPU multiplies float32 matrices."""

from __future__ import annotations

from gpunet.devices import cuda, opened

__all__ = ["get_float32_matmul_precision", "set_float32_matmul_precision"]

_PRECISIONS = ("highest", "tf32x3", "high", "medium")
_precision = "highest"


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` has set: "highest" at first.

    Examples:
        >>> gpunet.get_float32_matmul_precision()
        'highest'
    """
    return _precision


def set_float32_matmul_precision(precision: str) -> None:
    """Says how exactly a GPU has to multiply float32 matrices.

    Args:
        precision: "highest": in float32. "high" or "medium": on tensor cores that take TF32, those of compute
            capability 8.0 and later, operands are rounded to the nearest numbers of 10 bits of fraction; sums stay
            float32. This holds for matrix products and convolutions on GPUs and on `sim`; on the CPU nothing changes.
            "tf32x3", which PyTorch does not have: matrix products take the tensor cores of GPUs of compute capability
            8.0 and 9.0, each operand as the sum of two TF32 numbers, which leaves errors near float32's; an infinite
            operand gives NaN, and numbers above 3.4e38 count as infinite. Elsewhere, and in convolutions, it is
            "highest".

    Raises:
        RuntimeError: it is none of the four.

    Examples:
        >>> gpunet.set_float32_matmul_precision("high")
        >>> gpunet.get_float32_matmul_precision()
        'high'
        >>> gpunet.set_float32_matmul_precision("highest")
    """
    global _precision
    if precision not in _PRECISIONS:
        raise RuntimeError(f"set_float32_matmul_precision: expected one of {', '.join(_PRECISIONS)}, got {precision!r}")
    _precision = precision
    cuda.CudaDevice.tf32 = precision in ("high", "medium")  # for those that are opened later, too
    cuda.CudaDevice.tf32x3 = precision == "tf32x3"
    for device in opened("cuda"):
        device.allow_tf32(cuda.CudaDevice.tf32)
