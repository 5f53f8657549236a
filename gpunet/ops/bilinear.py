"""The bilinear form of a layer with two inputs."""

from __future__ import annotations

from gpunet.ops.matmul import matmul


def bilinear(input1, input2, weight, bias=None):
    """y[..., o] = sum over i, j of input1[..., i] weight[o, i, j] input2[..., j], plus bias[o]."""
    a, b, w = input1._array.shape, input2._array.shape, weight._array.shape
    if len(w) != 3 or not a or not b or a[:-1] != b[:-1] or (a[-1], b[-1]) != w[1:]:
        raise RuntimeError("bilinear: expected inputs [..., in1] and [..., in2] with the same leading dimensions and a "
                           f"weight [out, in1, in2], got shapes {a}, {b} and {w}")
    if bias is not None and bias._array.shape != w[:1]:
        raise RuntimeError(f"bilinear: expected a bias of shape {w[:1]}, got {bias._array.shape}")
    halfway = matmul(input1, weight.permute(1, 0, 2).reshape(w[1], w[0] * w[2])).reshape(*a[:-1], w[0], w[2])
    y = matmul(halfway, input2.unsqueeze(-1)).squeeze(-1)
    return y if bias is None else y + bias
