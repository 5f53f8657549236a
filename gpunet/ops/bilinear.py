"""The bilinear form of a layer with two inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ops.matmul import matmul

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Bilinear form: y[..., o] = sum over i, j of input1[..., i] * weight[o, i, j] * input2[..., j] + bias[o].

    Args:
        input1: tensor of a floating-point type, shape (..., in1).
        input2: tensor of shape (..., in2), with the same leading dimensions.
        weight: tensor of shape (out, in1, in2).
        bias: tensor of shape (out,).

    Returns:
        Tensor of shape (..., out).

    Raises:
        RuntimeError: the shapes do not fit each other.

    Example:
        >>> weight = gpunet.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> gpunet.nn.functional.bilinear(gpunet.tensor([[1.0, 2.0]]), gpunet.tensor([[3.0, 4.0]]), weight)
        tensor([[11.]])
    """
    a, b, w = input1._array.shape, input2._array.shape, weight._array.shape
    if len(w) != 3 or not a or not b or a[:-1] != b[:-1] or (a[-1], b[-1]) != w[1:]:
        raise RuntimeError("bilinear: expected inputs [..., in1] and [..., in2] with the same leading dimensions and a "
                           f"weight [out, in1, in2], got shapes {a}, {b} and {w}")
    if bias is not None and bias._array.shape != w[:1]:
        raise RuntimeError(f"bilinear: expected a bias of shape {w[:1]}, got {bias._array.shape}")
    halfway = matmul(input1, weight.permute(1, 0, 2).reshape(w[1], w[0] * w[2])).reshape(*a[:-1], w[0], w[2])
    y = matmul(halfway, input2.unsqueeze(-1)).squeeze(-1)
    return y if bias is None else y + bias
