"""Building blocks of image networks, by torchvision's names: `torchvision.ops` is this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import gpunet
from gpunet import nn
from gpunet.nn.boxes import box_area, box_convert, box_iou, generalized_box_iou
from gpunet.tensor import Tensor

__all__ = ["MLP", "Conv2dNormActivation", "Permute", "SqueezeExcitation", "StochasticDepth", "box_area",
           "box_convert", "box_iou", "generalized_box_iou", "stochastic_depth"]


class Conv2dNormActivation(nn.Sequential):
    """A convolution, then a normalization and an activation where they are given.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the window.
        stride: step of the window.
        padding: zeros around the image; None: as many as keep its size at stride 1.
        groups: groups of the convolution.
        norm_layer: makes the normalization from the number of channels; None: none.
        activation_layer: makes the activation; None: none.
        dilation: distance between the window's points.
        inplace: passed to the activation; None: not passed.
        bias: whether the convolution adds a bias; None: if there is no normalization.
        conv_layer: makes the convolution.

    Examples:
        >>> vision.ops.Conv2dNormActivation(3, 8, stride=2)(gpunet.zeros(1, 3, 8, 8)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int] = 3,
                 stride: int | tuple[int, int] = 1, padding: int | tuple[int, int] | str | None = None, groups: int = 1,
                 norm_layer: Callable[..., nn.Module] | None = nn.BatchNorm2d,
                 activation_layer: Callable[..., nn.Module] | None = nn.ReLU, dilation: int | tuple[int, int] = 1,
                 inplace: bool | None = True, bias: bool | None = None,
                 conv_layer: Callable[..., nn.Module] = nn.Conv2d) -> None:
        if padding is None:
            sizes, steps = (value if isinstance(value, Sequence) else (value,) * 2 for value in (kernel_size, dilation))
            padding = ((sizes[0] - 1) // 2 * steps[0], (sizes[1] - 1) // 2 * steps[1])
        layers = [conv_layer(in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                             bias=norm_layer is None if bias is None else bias)]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate computed from the means of all (Hu et al. 2018, "Squeeze-and-Excitation Networks").

    Args:
        input_channels: channels of the input, and of the output.
        squeeze_channels: channels between the two layers of the gate.
        activation: makes the activation between them.
        scale_activation: makes the gate's, whose values scale the channels.

    Examples:
        >>> vision.ops.SqueezeExcitation(8, 2)(gpunet.ones(1, 8, 4, 4)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    def __init__(self, input_channels: int, squeeze_channels: int, activation: Callable[..., nn.Module] = nn.ReLU,
                 scale_activation: Callable[..., nn.Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        gate = self.fc2(self.activation(self.fc1(self.avgpool(input))))
        return self.scale_activation(gate) * input


def stochastic_depth(input: Tensor, p: float, mode: Literal["batch", "row"], training: bool = True) -> Tensor:
    """Zeros with probability `p`, else scaled by 1 / (1 - p): drops a residual branch at random (Huang et al. 2016).

    Args:
        input: the branch's output [N, ...].
        p: probability that it is dropped.
        mode: "row": each sample by itself; "batch": all at once.
        training: whether anything is dropped.

    Raises:
        ValueError: `p` is outside [0, 1], or the mode is unknown.

    Examples:
        >>> vision.ops.stochastic_depth(gpunet.ones(2, 3), 0.5, "row", training=False).sum()
        tensor(6.)
    """
    if not 0 <= p <= 1:
        raise ValueError(f"stochastic_depth: p is a probability from 0 to 1, got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"stochastic_depth: mode is 'batch' or 'row', got {mode!r}")
    if not training or p == 0:
        return input
    kept = gpunet.empty(([input.shape[0]] if mode == "row" else [1]) + [1] * (input.ndim - 1), dtype=input.dtype,
                        device=input.device).bernoulli_(1 - p)
    return input * (kept / (1 - p) if p < 1 else kept)


class StochasticDepth(nn.Module):
    """`stochastic_depth` as a layer, which drops in training only.

    Args:
        p: probability that a branch is dropped.
        mode: "row": each sample by itself; "batch": all at once.

    Examples:
        >>> vision.ops.StochasticDepth(0.2, "row").eval()(gpunet.ones(2)).sum()
        tensor(2.)
    """

    def __init__(self, p: float, mode: Literal["batch", "row"]) -> None:
        super().__init__()
        self.p = p
        self.mode: Literal["batch", "row"] = mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class Permute(nn.Module):
    """`Tensor.permute` as a layer.

    Args:
        dims: the order of the dimensions.

    Examples:
        >>> vision.ops.Permute([0, 2, 1])(gpunet.zeros(2, 3, 4)).shape
        gpunet.Size([2, 4, 3])
    """

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = tuple(dims)

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)


class MLP(nn.Sequential):
    """Linear layers, each but the last followed by a normalization, an activation and dropout; dropout at the end.

    Args:
        in_channels: features of the input.
        hidden_channels: features of each layer, the last one included.
        norm_layer: makes the normalization from the number of features; None: none.
        activation_layer: makes the activation.
        inplace: passed to activation and dropout; None: not passed.
        bias: whether the linear layers add a bias.
        dropout: probability that a value is dropped.

    Examples:
        >>> vision.ops.MLP(4, [8, 2])(gpunet.zeros(3, 4)).shape
        gpunet.Size([3, 2])
    """

    def __init__(self, in_channels: int, hidden_channels: Sequence[int],
                 norm_layer: Callable[..., nn.Module] | None = None,
                 activation_layer: Callable[..., nn.Module] = nn.ReLU, inplace: bool | None = None, bias: bool = True,
                 dropout: float = 0.0) -> None:
        given: dict[str, Any] = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for index, features in enumerate(hidden_channels):
            layers.append(nn.Linear(in_channels, features, bias=bias))
            if index < len(hidden_channels) - 1:
                if norm_layer is not None:
                    layers.append(norm_layer(features))
                layers.append(activation_layer(**given))
            layers.append(nn.Dropout(dropout, **given))
            in_channels = features
        super().__init__(*layers)
