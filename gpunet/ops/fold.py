"""Windows as columns (im2col), and columns added up to an image again (col2im): each is the other's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.ops.rules import accumulator
from gpunet.ops.windows import check_not_empty, sizes_of, windows

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__: list[str] = []


@op(lambda x, *, at: ((x.shape[0], x.shape[1] * at.area, at.count), x.dtype))
def unfold_op(xp, out, x, *, at):
    """[n, C, size] to [n, C * taps, windows]."""
    columns = out.reshape(*x.shape[:2], at.area, *at.out)
    full = at.pad(xp, x)
    for i, tap in enumerate(at.taps):
        columns[:, :, i] = full[tap]


@unfold_op.gradient
def _(g, _y, _x, *, at):
    return (fold_op(g, at=at),)


@op(lambda columns, *, at: ((columns.shape[0], columns.shape[1] // at.area, *at.size), columns.dtype))
def fold_op(xp, out, columns, *, at):
    """[n, C * taps, windows] to [n, C, size]: elements that several windows share are added up."""
    columns = columns.reshape(*out.shape[:2], at.area, *at.out)
    full = xp.zeros((*out.shape[:2], *at.padded_size), accumulator(out.dtype))
    for i, tap in enumerate(at.taps):
        full[tap] += columns[:, :, i]
    at.crop(out, full)


@fold_op.gradient
def _(g, _y, _x, *, at):
    return (unfold_op(g, at=at),)


def _windows(name, size, kernel_size, dilation, padding, stride):
    kernel, dilation, padding, stride = (
        sizes_of(value, 2, name, what) for value, what in ((kernel_size, "kernel_size"), (dilation, "dilation"),
                                                           (padding, "padding"), (stride, "stride")))
    if min(*kernel, *dilation, *stride) < 1 or min(padding) < 0:
        raise RuntimeError(f"{name}: kernel_size, dilation and stride must be positive and padding not negative, got "
                           f"{kernel}, {dilation}, {stride} and {padding}")
    at = windows(tuple(size), kernel, stride, tuple([(p, p) for p in padding]), dilation)
    if min(at.out) < 1:
        raise RuntimeError(f"{name}: a window of {kernel} taps, {dilation} apart, does not fit in an image of "
                           f"{tuple(size)} padded to {at.padded_size}")
    return at


def unfold(input: Tensor, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1,
           padding: int | Sequence[int] = 0, stride: int | Sequence[int] = 1) -> Tensor:
    """Windows that slide over images, as columns (im2col).

    Args:
        input: tensor of shape (N, C, H, W) or (C, H, W).
        kernel_size: height and width of a window; one number is for both.
        dilation: distance of a window's elements, likewise.
        padding: zeros added on each side of the images, likewise.
        stride: distance from one window to the next, likewise.

    Returns:
        Tensor of shape (N, C * taps, windows), or without N: taps elements in a window.

    Raises:
        RuntimeError: the shape is another one, or no window fits.

    Example:
        >>> gpunet.nn.functional.unfold(gpunet.arange(4.0).reshape(1, 1, 2, 2), (1, 2))
        tensor([[[0., 2.],
                 [1., 3.]]])
    """
    rank = input._array.ndim
    if rank not in (3, 4):
        raise RuntimeError(f"unfold: expected an input of shape (N, C, H, W) or (C, H, W), got {input._array.shape}")
    check_not_empty("unfold", input._array.shape, rank == 4)
    at = _windows("unfold", input._array.shape[-2:], kernel_size, dilation, padding, stride)
    return unfold_op(input, at=at) if rank == 4 else unfold_op(input.unsqueeze(0), at=at).squeeze(0)


def fold(input: Tensor, output_size: int | Sequence[int], kernel_size: int | Sequence[int],
         dilation: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
         stride: int | Sequence[int] = 1) -> Tensor:
    """Columns, as `unfold` makes them, added up to images (col2im). Elements that several windows share are sums.

    Args:
        input: tensor of shape (N, C * taps, windows) or (C * taps, windows): taps elements in a window.
        output_size: height and width of the images; one number is for both.
        kernel_size: height and width of a window, likewise.
        dilation: distance of a window's elements, likewise.
        padding: zeros that `unfold` added on each side of the images, likewise.
        stride: distance from one window to the next, likewise.

    Returns:
        Tensor of shape (N, C, H, W), or without N.

    Raises:
        RuntimeError: input's shape does not belong to images of this size.

    Example:
        >>> gpunet.nn.functional.fold(gpunet.ones(1, 2, 2), (1, 3), (1, 2))
        tensor([[[[1., 2., 1.]]]])
    """
    rank = input._array.ndim
    check_not_empty("fold", input._array.shape, rank == 3)
    at = _windows("fold", sizes_of(output_size, 2, "fold", "output_size"), kernel_size, dilation, padding, stride)
    if rank not in (2, 3) or input._array.shape[-2] % at.area or input._array.shape[-1] != at.count:
        raise RuntimeError(f"fold: expected an input of shape (N, C * {prod(at.kernel)}, {at.count}) or without N, for "
                           f"{at.area} taps and {at.count} windows in an image of {at.size}, got {input._array.shape}")
    return fold_op(input, at=at) if rank == 3 else fold_op(input.unsqueeze(0), at=at).squeeze(0)
