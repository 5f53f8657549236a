"""Linear layers: of one input, and of two."""

from __future__ import annotations

import math
from typing import Any

from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.ops.linear import linear_op
from gpunet.tensor import Tensor


class Identity(Module):
    """Returns its input: a placeholder where a model may have a layer or not.

    Args:
        args: ignored.
        kwargs: ignored.

    Shape:
        Anything.

    Examples:
        >>> nn.Identity(54, unused=True)(gpunet.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """`y = x @ weight.T + bias`.

    weight and bias start uniform in ±1/sqrt(in_features), as in PyTorch.

    Args:
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether to add a bias.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [..., in_features] of the weight's dtype; output [..., out_features].

    Attributes:
        weight: [out_features, in_features].
        bias: [out_features], or None.

    Examples:
        >>> layer = nn.Linear(3, 5)
        >>> layer(gpunet.randn(2, 3)).shape
        gpunet.Size([2, 5])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(creation.empty(out_features, in_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(creation.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        # The bound comes to 1/sqrt(in_features): a = sqrt(5) gives the gain sqrt(1/3).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return linear_op(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """`y[o] = x1 @ weight[o] @ x2 + bias[o]`.

    weight and bias start uniform in ±1/sqrt(in1_features), as in PyTorch.

    Args:
        in1_features: size of the first input's last dimension; positive.
        in2_features: size of the second input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether to add a bias.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input1 [..., in1_features] and input2 [..., in2_features], the same in the other dimensions; output
        [..., out_features].

    Attributes:
        weight: [out_features, in1_features, in2_features].
        bias: [out_features], or None.

    Raises:
        ValueError: in1_features is not positive.

    Examples:
        >>> nn.Bilinear(3, 4, 5)(gpunet.randn(2, 3), gpunet.randn(2, 4)).shape
        gpunet.Size([2, 5])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features must be positive, got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(creation.empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(creation.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")
