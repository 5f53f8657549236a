"""Padding layers, over `functional.pad`."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.common_types import Sizes
from gpunet.nn.module import Module
from gpunet.ops.windows import sizes_of
from gpunet.tensor import Tensor


class _Pad(Module):
    """Base: `padding` around the last `rank` dimensions, in a mode of `functional.pad`."""

    rank: int
    mode: str
    value: float | None = None

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = sizes_of(padding, 2 * self.rank, type(self).__name__, "padding")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """The padding, as repr() shows it."""
        return str(self.padding)


class _ConstantPad(_Pad):
    """Base: padding with a number."""

    mode = "constant"

    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Pads the last dimension with a number.

    Args:
        padding: one number for both ends, or (left, right); negative numbers crop.
        value: the number to pad with.

    Shape:
        [N, C, L] or [C, L], any dtype; output [..., L + left + right].

    Examples:
        >>> nn.ConstantPad1d((1, 2), 9.0)(gpunet.tensor([[1.0, 2.0]]))
        tensor([[9., 1., 2., 9., 9.]])
    """

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last two dimensions with a number.

    Args:
        padding: one number for all sides, or (left, right, top, bottom); negative numbers crop.
        value: the number to pad with.

    Shape:
        [N, C, H, W] or [C, H, W], any dtype; output [..., H + top + bottom, W + left + right].

    Examples:
        >>> nn.ConstantPad2d((1, 0, 0, 1), 9.0)(gpunet.tensor([[[1.0, 2.0]]]))
        tensor([[[9., 1., 2.],
                 [9., 9., 9.]]])
    """

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last three dimensions with a number.

    Args:
        padding: one number for all sides, or (left, right, top, bottom, front, back);
            negative numbers crop.
        value: the number to pad with.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], any dtype;
        output [..., D + front + back, H + top + bottom, W + left + right].

    Examples:
        >>> nn.ConstantPad3d((1, 0, 0, 0, 0, 0), 9.0)(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[9., 1., 2.]]]])
    """

    rank = 3


class ZeroPad1d(_Pad):
    """Pads the last dimension with 0.

    Args:
        padding: one number for both ends, or (left, right); negative numbers crop.

    Shape:
        [N, C, L] or [C, L], any dtype; output [..., L + left + right].

    Examples:
        >>> nn.ZeroPad1d((1, 2))(gpunet.tensor([[1.0, 2.0]]))
        tensor([[0., 1., 2., 0., 0.]])
    """

    rank, mode, value = 1, "constant", 0.0


class ZeroPad2d(_Pad):
    """Pads the last two dimensions with 0.

    Args:
        padding: one number for all sides, or (left, right, top, bottom); negative numbers crop.

    Shape:
        [N, C, H, W] or [C, H, W], any dtype; output [..., H + top + bottom, W + left + right].

    Examples:
        >>> nn.ZeroPad2d((1, 0, 0, 1))(gpunet.tensor([[[1.0, 2.0]]]))
        tensor([[[0., 1., 2.],
                 [0., 0., 0.]]])
    """

    rank, mode, value = 2, "constant", 0.0


class ZeroPad3d(_Pad):
    """Pads the last three dimensions with 0.

    Args:
        padding: one number for all sides, or (left, right, top, bottom, front, back);
            negative numbers crop.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], any dtype;
        output [..., D + front + back, H + top + bottom, W + left + right].

    Examples:
        >>> nn.ZeroPad3d((1, 0, 0, 0, 0, 0))(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[0., 1., 2.]]]])
    """

    rank, mode, value = 3, "constant", 0.0


class ReflectionPad1d(_Pad):
    """Pads the last dimension with its mirror image; the end itself is not repeated.

    Args:
        padding: one number for both ends, or (left, right); less than L. Negative numbers crop.

    Shape:
        [N, C, L] or [C, L], any dtype; output [..., L + left + right].

    Raises:
        RuntimeError: the padding is not less than the input's size.

    Examples:
        >>> nn.ReflectionPad1d(2)(gpunet.tensor([[1.0, 2.0, 3.0]]))
        tensor([[3., 2., 1., 2., 3., 2., 1.]])
    """

    rank, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Pads the last two dimensions with their mirror image; the edge itself is not repeated.

    Args:
        padding: one number for all sides, or (left, right, top, bottom); less than H and W. Negative numbers crop.

    Shape:
        [N, C, H, W] or [C, H, W], any dtype; output [..., H + top + bottom, W + left + right].

    Raises:
        RuntimeError: the padding is not less than the input's size.

    Examples:
        >>> nn.ReflectionPad2d((1, 1, 0, 0))(gpunet.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[2., 1., 2., 1.],
                 [4., 3., 4., 3.]]])
    """

    rank, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Pads the last three dimensions with their mirror images, without the elements at the faces themselves.

    Args:
        padding: one number for all sides, or (left, right, top, bottom, front, back);
            each smaller than its dimension.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], any dtype;
        output [..., D + front + back, H + top + bottom, W + left + right].

    Examples:
        >>> nn.ReflectionPad3d((1, 0, 0, 0, 0, 0))(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[2., 1., 2.]]]])
    """

    rank, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Pads the last dimension by repeating the elements at its ends.

    Args:
        padding: one number for both ends, or (left, right); negative numbers crop.

    Shape:
        [N, C, L] or [C, L], any dtype; output [..., L + left + right].

    Examples:
        >>> nn.ReplicationPad1d(2)(gpunet.tensor([[1.0, 2.0, 3.0]]))
        tensor([[1., 1., 1., 2., 3., 3., 3.]])
    """

    rank, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Pads the last two dimensions by repeating the elements at the edge.

    Args:
        padding: one number for all sides, or (left, right, top, bottom); negative numbers crop.

    Shape:
        [N, C, H, W] or [C, H, W], any dtype; output [..., H + top + bottom, W + left + right].

    Examples:
        >>> nn.ReplicationPad2d((1, 1, 0, 0))(gpunet.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[1., 1., 2., 2.],
                 [3., 3., 4., 4.]]])
    """

    rank, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Pads the last three dimensions with the nearest element.

    Args:
        padding: one number for all sides, or (left, right, top, bottom, front, back);
            negative numbers crop.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], any dtype;
        output [..., D + front + back, H + top + bottom, W + left + right].

    Examples:
        >>> nn.ReplicationPad3d((1, 0, 0, 0, 0, 0))(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[1., 1., 2.]]]])
    """

    rank, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """Pads the last dimension with elements from its other end.

    Args:
        padding: one number for both ends, or (left, right); at most L. Negative numbers crop.

    Shape:
        [N, C, L] or [C, L], any dtype; output [..., L + left + right].

    Raises:
        RuntimeError: the padding exceeds the input's size.

    Examples:
        >>> nn.CircularPad1d(2)(gpunet.tensor([[1.0, 2.0, 3.0]]))
        tensor([[2., 3., 1., 2., 3., 1., 2.]])
    """

    rank, mode = 1, "circular"


class CircularPad2d(_Pad):
    """Pads the last two dimensions with elements from the opposite edge.

    Args:
        padding: one number for all sides, or (left, right, top, bottom); at most H and W. Negative numbers crop.

    Shape:
        [N, C, H, W] or [C, H, W], any dtype; output [..., H + top + bottom, W + left + right].

    Raises:
        RuntimeError: the padding exceeds the input's size.

    Examples:
        >>> nn.CircularPad2d((1, 1, 0, 0))(gpunet.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
        tensor([[[2., 1., 2., 1.],
                 [4., 3., 4., 3.]]])
    """

    rank, mode = 2, "circular"


class CircularPad3d(_Pad):
    """Pads the last three dimensions with the elements of the opposite ends.

    Args:
        padding: one number for all sides, or (left, right, top, bottom, front, back);
            none larger than its dimension.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], any dtype;
        output [..., D + front + back, H + top + bottom, W + left + right].

    Examples:
        >>> nn.CircularPad3d((1, 0, 0, 0, 0, 0))(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[2., 1., 2.]]]])
    """

    rank, mode = 3, "circular"
