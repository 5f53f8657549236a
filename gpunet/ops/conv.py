"""Convolution (as the field calls it: cross-correlation), in any number of spatial dimensions, and its transpose.

It is linear in the input and in the weight, so three ops close it: the convolution, its gradient by the input (which
is also the transposed convolution) and its gradient by the weight. The gradients of each are the other two, to any
order.

The bodies gather the windows into a matrix, a few images at a time so that it stays in the cache, and multiply. Small
images are laid out with the batch innermost: then the copies run over long stretches of memory, and one product serves
all images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES, public
from gpunet.engine.modes import mode
from gpunet.native import Native
from gpunet.native.halves import in_float32
from gpunet.ops import conv_channels_launch, conv_launch, elementwise, epilogue, running_norm
from gpunet.ops.activation import relu_grad_op, relu_op
from gpunet.ops.blocks import Scratch
from gpunet.ops.channels_last import lie_last
from gpunet.ops.epilogue import NONE, RELU
from gpunet.ops.matmul import pair_types
from gpunet.ops.reduce import sum
from gpunet.ops.windows import exact_padding, expected_input, sizes_of, windows, with_batch

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

Sizes = int | Sequence[int]  # one number for all spatial dimensions, or one for each

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]

_conv, _conv_input_grad = Native("conv.cpp", "conv"), Native("conv.cpp", "conv_input_grad")
_conv_weight_grad = Native("conv_weight.cpp", "conv_weight_grad")

# Bytes of gathered windows at a time: on the CPU (measured), there with the batch innermost, and on a GPU.
_CACHE, _CACHE_INNERMOST, _DEVICE = 1 << 20, 1 << 22, 1 << 27
_SMALL = 128  # windows in an image up to which the batch goes innermost
_FEW = 8  # images for which that pays
_TILE = 8  # channels and features that a group has at least where the CPU's products of bfloat16 pay
_ROWS = 64  # rows that a product should have at least: taps are taken together where there are few channels


def _chunks(xp, images: int, channels: int, at, itemsize: int):
    """How to cut the batch: whether it goes innermost, and the slices of images."""
    innermost = at.count <= _SMALL and images >= _FEW
    budget = (_CACHE_INNERMOST if innermost else _CACHE) if xp is np else _DEVICE
    each = max(1, channels * at.area * at.count * itemsize)
    step = max(_FEW if innermost else 1, budget // each)
    return innermost, [slice(i, min(i + step, images)) for i in range(0, images, step)]


def _arranged(x, innermost: bool):
    """[n, C, spatial...] as [n, C, 1, spatial...], or as [1, C, spatial..., n]: ready to be cut by taps."""
    return x.transpose(*range(1, x.ndim), 0)[None] if innermost else x


def _restored(x, innermost: bool):
    """The reverse of `_arranged`."""
    return x[0].transpose(x.ndim - 2, *range(x.ndim - 2)) if innermost else x


def _columns(x, at, groups: int, innermost: bool, empty: Scratch, zeros: Scratch):
    """The windows of some images as matrices [m, groups, C / groups * taps, windows]. With the batch innermost m is 1,
    and `windows` those of all images. zeros: what is between the images there stays zero."""
    x = _arranged(x, innermost)
    m, channels = x.shape[:2]
    if at.area > 1 or at.stride != (1,) * len(at.stride) or at.is_padded:
        lead, last = (slice(None), slice(None)), x.shape[x.ndim - innermost :]
        if innermost or at.is_padded:
            full = zeros[m, channels, *at.padded_size, *last]
            full[(*lead, *at.outer)] = x[(*lead, *at.inner)]
            x = full
        columns = empty[m, channels, at.area, *at.out, *last]
        for i, tap in enumerate(at.taps):
            columns[:, :, i] = x[(*lead, *tap[1:])]
        x = columns
    return x.reshape(m, groups, channels // groups * at.area, -1 if x.size else 0)


def _rows(y, groups: int, innermost: bool):
    """Outputs, or their gradients, of some images as matrices [m, groups, features / groups, windows]."""
    y = _arranged(y, innermost)
    return y.reshape(y.shape[0], groups, y.shape[1] // groups, -1 if y.size else 0)


def _wide(x):
    """Half types compute in float32."""
    return x.astype(FLOAT32_NP) if x.dtype in HALF_TYPES else x


def _grouped(w, groups: int):
    """[features, depth, kernel...] as [groups, features / groups, depth, taps]."""
    return w.reshape(groups, w.shape[0] // groups, w.shape[1], -1)


@op(lambda x, w, bias, *, at, groups: ((x.shape[0], w.shape[0], *at.out), x.dtype))
def conv(xp, out, x, w, bias, *, at, groups):
    """y[n, f, o] = bias[f] + sum over c, k of w[f, c, k] x[n, c, o * stride - padding + k * dilation]."""
    x, w = _wide(x), _wide(w)
    added = None if bias is None else bias.reshape(-1, *[1] * len(at.out))
    if not x.size:
        out[...] = 0 if added is None else added
        return
    weight = w.reshape(groups, w.shape[0] // groups, -1)
    innermost, chunks = _chunks(xp, len(x), x.shape[1], at, x.dtype.itemsize)
    empty, zeros = Scratch(xp.empty, x.dtype), Scratch(xp.zeros, x.dtype)
    for part in chunks:
        columns = _columns(x[part], at, groups, innermost, empty, zeros)
        y = out[part]
        if innermost or y.dtype != columns.dtype or not y.flags.c_contiguous:
            product = xp.matmul(weight, columns)
            shape = (1, y.shape[1], *at.out, len(y)) if innermost else y.shape
            product = _restored(product.reshape(shape), innermost)
            if added is not None:
                product += added  # before half types round it
            y[...] = product
        else:
            xp.matmul(weight, columns, out=_rows(y, groups, False))
            if added is not None:
                y += added


def _on_cpu(operation, weight=2):
    """Declares an op's native kernel, which takes bfloat16 too where the processor multiplies it. Small groups, such as
    those of a depthwise convolution, would fill little of its tiles: these compute in float32. weight: the place of the
    weight, or of its gradient, among the arrays."""
    def declare(function):
        wide = in_float32(function, 1)

        @operation.cpu(types=pair_types)
        def call(*arrays, at, groups):
            if not all([x is None or x.size for x in arrays]):
                return NotImplemented
            narrow = groups > 1 and min(arrays[weight].shape[1], arrays[weight].shape[0] // groups) < _TILE
            run = wide if narrow and arrays[0].dtype != FLOAT32_NP else function
            return run(*arrays, at=at, groups=groups)

        return call

    return declare


@_on_cpu(conv)
def _(out, x, w, bias, *, at, groups):
    _conv(out, x, w, bias, at.numbers, len(x), groups, w.shape[1], w.shape[0] // groups, x.dtype != FLOAT32_NP)


@conv.gradient(needs=("w", "x", ""))
def _(g, _, x, w, *, at, groups):
    return (lambda: conv_input_grad(g, w, at=at, groups=groups),
            lambda: conv_weight_grad(g, x, at=at, groups=groups),
            lambda: sum(g, (0, *range(2, g.ndim))))


@op(lambda x, w, bias, *, at, groups: conv.op.rule(x, w, bias, at=at, groups=groups))
def conv_relu(xp, out, x, w, bias, *, at, groups):
    """max(conv(x, w, bias), 0): on the GPU one kernel."""
    conv.op.body(xp, out, x, w, bias, at=at, groups=groups)
    xp.maximum(out, 0, out=out)


@_on_cpu(conv_relu)
def _(out, x, w, bias, *, at, groups):
    _conv(out, x, w, bias, at.numbers, len(x), groups, w.shape[1], w.shape[0] // groups, x.dtype != FLOAT32_NP)
    elementwise.relu(out, out)


@conv_relu.gradient(needs=("y w", "y x", "y"))
def _(g, y, x, w, *, at, groups):
    found = []

    def masked():
        if not found:
            found.append(relu_grad_op(g, y))
        return found[0]

    return (lambda: conv_input_grad(masked(), w, at=at, groups=groups),
            lambda: conv_weight_grad(masked(), x, at=at, groups=groups),
            lambda: sum(masked(), (0, *range(2, g.ndim))))


@conv_relu.composition(second=False)
def _(x, w, bias, *, at, groups):
    return relu_op(conv(x, w, bias, at=at, groups=groups))


@op(lambda x, w, *others, at, groups, eps, activation: conv.op.rule(x, w, None, at=at, groups=groups),
    differentiable=False)
def conv_epilogue(xp, out, x, w, bias, mean, variance, scale, shift, onto, *, at, groups, eps, activation):
    """A convolution and what follows it: a batch norm by running statistics, the sum with `onto` and an activation, as
    far as they are given. On the GPU one kernel; elsewhere the batch norm is folded into the weight."""
    w, bias = _folded(xp, w, bias, mean, variance, scale, shift, eps)
    conv.op.body(xp, out, x, w, bias, at=at, groups=groups)
    epilogue.apply(xp, out, onto, activation)


@conv_epilogue.cpu(replayable=False)  # the weight is folded in each replay
def _(out, x, w, bias, mean, variance, scale, shift, onto, *, at, groups, eps, activation):
    if not x.size or not out.size:
        return NotImplemented
    w, bias = _folded(np, w, bias, mean, variance, scale, shift, eps)
    _conv(out, x, w, bias, at.numbers, len(x), groups, w.shape[1], w.shape[0] // groups, False)
    epilogue.apply_native(out, out, onto, activation)
    return None


def _folded(xp, w, bias, mean, variance, scale, shift, eps):
    """Weight and bias of the one convolution that does both; half types compute in float32."""
    if mean is None:
        return w, bias
    factor = 1 / xp.sqrt(_wide(variance) + eps)
    if scale is not None:
        factor = factor * _wide(scale)
    offset = (-_wide(mean) if bias is None else _wide(bias) - _wide(mean)) * factor
    if shift is not None:
        offset = offset + _wide(shift)
    return xp.ascontiguousarray(_wide(w) * factor.reshape(-1, *[1] * (w.ndim - 1))), offset


@op(lambda g, w, *, at, groups: ((g.shape[0], w.shape[1] * groups, *at.size), g.dtype))
def conv_input_grad(xp, out, g, w, *, at, groups):
    """Each output's gradient times the weight, added up where its window lay."""
    g, w = _wide(g), _wide(w)
    if not g.size or not w.size:
        out[...] = 0
        return
    depth = w.shape[1]
    if 2 * depth * groups >= w.shape[0] and max(at.stride) == 1:
        # Of stride 1 it is a convolution itself, of the gradient with the mirrored weight. Gathering is cheaper than
        # adding up, unless there are far more features to gather than channels to add to.
        mirrored = _grouped(w, groups).swapaxes(1, 2)[..., ::-1].reshape(-1, w.shape[0] // groups, *at.kernel)
        conv.op.body(xp, out, g, mirrored, None, at=_mirrored(at), groups=groups)
        return
    # [groups, taps * depth, features / groups]: tap by tap, since these are added to different places.
    weight = xp.ascontiguousarray(_grouped(w, groups).transpose(0, 3, 2, 1)).reshape(groups, -1, w.shape[0] // groups)
    innermost, chunks = _chunks(xp, len(g), out.shape[1], at, g.dtype.itemsize)
    together = max(1, _ROWS // max(1, depth))
    empty = Scratch(xp.empty, g.dtype)
    for part in chunks:
        rows = _rows(g[part], groups, innermost)
        m, last = (1, g[part].shape[:1]) if innermost else (rows.shape[0], ())
        full = empty[m, groups, depth, *at.padded_size, *last]
        full[...] = 0
        for start in range(0, at.area, together):
            taps = at.taps[start : start + together]
            product = empty[m, groups, len(taps) * depth, rows.shape[-1]]
            xp.matmul(weight[:, start * depth : (start + len(taps)) * depth], rows, out=product)
            product = product.reshape(m, groups, len(taps), depth, *at.out, *last)
            for i, tap in enumerate(taps):
                full[(slice(None), slice(None), slice(None), *tap[1:])] += product[:, :, i]
        at.crop(out[part], _restored(full.reshape(m, groups * depth, *at.padded_size, *last), innermost))


@_on_cpu(conv_input_grad)
def _(out, g, w, *, at, groups):
    _conv_input_grad(out, g, w, at.numbers, len(g), groups, w.shape[1], w.shape[0] // groups, g.dtype != FLOAT32_NP)


def _mirrored(at):
    low = [d * (k - 1) - p for k, d, (p, _) in zip(at.kernel, at.dilation, at.padding, strict=True)]
    return windows(at.out, at.kernel, at.stride, exact_padding(at.out, at.kernel, at.stride, low, at.dilation, at.size),
                   at.dilation, at.size)


@conv_input_grad.gradient(needs=("w", "g"))
def _(v, _, g, w, *, at, groups):
    return lambda: conv(v, w, None, at=at, groups=groups), lambda: conv_weight_grad(g, v, at=at, groups=groups)


@op(lambda g, x, *, at, groups: ((g.shape[1], x.shape[1] // groups, *at.kernel), g.dtype))
def conv_weight_grad(xp, out, g, x, *, at, groups):
    """Each output's gradient times its window, added up over all windows of all images."""
    g, x = _wide(g), _wide(x)
    if not out.size or not x.size:
        out[...] = 0
        return
    innermost, chunks = _chunks(xp, len(x), x.shape[1], at, x.dtype.itemsize)
    empty, zeros = Scratch(xp.empty, x.dtype), Scratch(xp.zeros, x.dtype)
    total = xp.zeros((groups, out.shape[0] // groups, out.shape[1] * at.area), g.dtype)
    for part in chunks:
        columns = _columns(x[part], at, groups, innermost, empty, zeros)
        product = xp.matmul(_rows(g[part], groups, innermost), columns.swapaxes(-1, -2))
        total += product[0] if len(product) == 1 else xp.sum(product, axis=0)
    xp.copyto(out, total.reshape(out.shape), casting="unsafe")


@_on_cpu(conv_weight_grad, weight=0)
def _(out, g, x, *, at, groups):
    _conv_weight_grad(out, g, x, at.numbers, len(x), groups, out.shape[1], out.shape[0] // groups,
                      g.dtype != FLOAT32_NP)


@conv_weight_grad.gradient(needs=("x", "g"))
def _(v, _, g, x, *, at, groups):
    return lambda: conv(x, v, None, at=at, groups=groups), lambda: conv_input_grad(g, v, at=at, groups=groups)


conv.kernel(conv_launch.forward)
conv_epilogue.kernel(conv_launch.forward)


@conv.channels_last
@conv_relu.channels_last
def _(cuda, x, w, bias, *, at, groups):
    return conv_channels_launch.serves(x.dtype, len(x), len(w), x.shape[1], at, groups)


@conv_epilogue.channels_last
def _(cuda, x, w, *others, at, groups, eps, activation):
    return epilogue.served(x.dtype, activation) and conv_channels_launch.serves(
        x.dtype, len(x), len(w), x.shape[1], at, groups)


@conv_input_grad.channels_last
def _(cuda, g, w, *, at, groups):
    return conv_channels_launch.serves(g.dtype, len(g), len(w), w.shape[1] * groups, at, groups)


@conv_weight_grad.channels_last
def _(cuda, g, x, *, at, groups):
    return conv_channels_launch.serves(g.dtype, len(g), g.shape[1], x.shape[1], at, groups)


@conv.finishes(norms=True)
def _(cuda, out, arrays, attrs, ending):
    last = lie_last(out, *arrays[:2])
    product = (conv_channels_launch.is_product(cuda, out.dtype, **attrs) if last else
               conv_launch.is_product(cuda, out, *arrays, **attrs))
    if ending.norm is not None and product:  # which has other sums
        plain = (cuda.empty_last if last else cuda.empty)(out.shape, out.dtype)
        conv_launch.forward(cuda, plain, *arrays, **attrs)
        return running_norm.launch(cuda, out, plain, ending.norm, ending.eps, ending.onto,
                                   epilogue.BY_FUNCTION[ending.activation])
    return conv_launch.forward(cuda, out, *arrays, *(ending.norm or (None,) * 4), ending.onto, eps=ending.eps,
                               activation=epilogue.BY_FUNCTION[ending.activation], **attrs)


@conv_relu.kernel
def _(cuda, out, x, w, bias, *, at, groups):
    return conv_launch.forward(cuda, out, x, w, bias, at=at, groups=groups, activation=RELU)


conv_input_grad.kernel(conv_launch.by_input)
conv_weight_grad.kernel(conv_launch.by_weight)

# ---- PyTorch's functions -------------------------------------------------------------------------------------------


def _check(name, rank, input, weight, bias, groups, transposed):
    """What holds for all of them; returns the number of channels that the input must have."""
    if weight._array.ndim != rank + 2:
        raise RuntimeError(f"{name}: expected a weight of {rank + 2} dimensions, got shape {weight._array.shape}")
    first, depth = weight._array.shape[:2]
    size, kernel = input._array.shape[-rank:], weight._array.shape[2:]
    if 0 in size or 0 in kernel or not first:
        raise RuntimeError(f"{name}: only the batch and the channels may have size 0, got an input of shape "
                           f"{input._array.shape} and a weight of shape {weight._array.shape}")
    if groups < 1 or first % groups:
        raise RuntimeError(f"{name}: groups must be positive and divide the weight's first size, got groups={groups} "
                           f"and a weight of shape {weight._array.shape}")
    cast = mode.casts(input.device.type) and input._array.dtype.itemsize < 8  # all get one type
    for other, what in ((weight, "weight"), (bias, "bias")):
        if not cast and other is not None and other._array.dtype != input._array.dtype:
            raise RuntimeError(f"{name}: input type {public(input._array.dtype)} and {what} type "
                               f"{public(other._array.dtype)} should be the same; convert one with .to(dtype)")
    features = depth * groups if transposed else first
    if bias is not None and bias._array.shape != (features,):
        raise RuntimeError(f"{name}: expected a bias of shape ({features},), got {bias._array.shape}")
    return first if transposed else depth * groups


def _positive(name, **sizes):
    for what, values in sizes.items():
        if min(values) < 1:
            raise RuntimeError(f"{name}: {what} must be positive, got {values}")


@lru_cache(maxsize=4096)
def _forward_windows(name, size, kernel, stride, padding, dilation):
    rank = len(kernel)
    stride, dilation = (sizes_of(v, rank, name, w) for v, w in ((stride, "stride"), (dilation, "dilation")))
    _positive(name, stride=stride, dilation=dilation)
    if padding == "same":
        if stride != (1,) * rank:
            raise RuntimeError(f"{name}: padding='same' is not supported for strided convolutions")
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        pads = tuple([(t // 2, t - t // 2) for t in total])
    elif isinstance(padding, str):
        if padding != "valid":
            raise RuntimeError(f"{name}: padding must be 'valid', 'same' or numbers, got {padding!r}")
        pads = ((0, 0),) * rank
    else:
        low = sizes_of(padding, rank, name, "padding")
        if min(low) < 0:
            raise RuntimeError(f"{name}: negative padding is not supported, got {low}")
        pads = tuple([(p, p) for p in low])
    at = windows(size, kernel, stride, pads, dilation)
    if min(at.out) < 1:
        raise RuntimeError(f"{name}: a kernel of {kernel} taps, {dilation} apart, does not fit in an input of {size} "
                           f"padded to {at.padded_size}")
    return at


def convolved(name: str, rank: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sizes,
              padding: Sizes | str, dilation: Sizes, groups: int, activation: int = NONE,
              norm: tuple | None = None, eps: float = 0.0, onto: Tensor | None = None) -> Tensor:
    """A convolution, with what follows it: a batch norm (mean, variance, scale and shift), the sum with `onto`, an
    activation. Gradients are not recorded of these, but of ReLU alone."""
    channels = _check(name, rank, input, weight, bias, groups, False)
    input, unbatched = with_batch(input, rank, name, channels)
    shape = input._array.shape
    if shape[1] != channels:
        raise RuntimeError(f"{name}: {expected_input(rank, channels)}, got {shape[unbatched:]}")
    at = _forward_windows(name, shape[2:], weight._array.shape[2:], _hashable(stride), _hashable(padding),
                          _hashable(dilation))
    if norm is not None or onto is not None or activation > RELU:
        result = conv_epilogue(input, weight, bias, *(norm or (None,) * 4), onto, at=at, groups=groups, eps=eps,
                            activation=activation)
    else:
        result = (conv_relu if activation else conv)(input, weight, bias, at=at, groups=groups)
    return result.squeeze(0) if unbatched else result


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=4096)
def _transposed_windows(name, size, kernel, stride, padding, output_padding, dilation):
    rank = len(kernel)
    stride, low, extra, dilation = (
        sizes_of(v, rank, name, w) for v, w in ((stride, "stride"), (padding, "padding"),
                                                (output_padding, "output_padding"), (dilation, "dilation")))
    _positive(name, stride=stride, dilation=dilation)
    if min(low) < 0 or min(extra) < 0:
        raise RuntimeError(f"{name}: negative padding is not supported, got {low} and output_padding {extra}")
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise RuntimeError(f"{name}: output_padding must be smaller than the stride or the dilation, got "
                               f"output_padding {extra}, stride {stride} and dilation {dilation}")
    big = tuple([(n - 1) * s - 2 * p + d * (k - 1) + e + 1
                 for n, k, s, p, e, d in zip(size, kernel, stride, low, extra, dilation, strict=True)])
    if min(big) < 1:
        raise RuntimeError(f"{name}: an input of {size} would give an output of {big}, which is too small")
    return windows(big, kernel, stride, exact_padding(big, kernel, stride, low, dilation, size), dilation)


def transposed(name: str, rank: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sizes, padding: Sizes,
                output_padding: Sizes, groups: int, dilation: Sizes) -> Tensor:
    channels = _check(name, rank, input, weight, bias, groups, True)
    input, unbatched = with_batch(input, rank, name, channels)
    shape = input._array.shape
    if shape[1] != channels:
        raise RuntimeError(f"{name}: {expected_input(rank, channels)}, got {shape[unbatched:]}")
    at = _transposed_windows(name, shape[2:], weight._array.shape[2:], _hashable(stride), _hashable(padding),
                             _hashable(output_padding), _hashable(dilation))
    result = conv_input_grad(input, weight, at=at, groups=groups)
    if bias is not None:
        result = result + bias.reshape(-1, *[1] * rank).to(result.dtype)
    return result.squeeze(0) if unbatched else result


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
           dilation: Sizes = 1, groups: int = 1) -> Tensor:
    """Convolution over 1 spatial dimension (cross-correlation): sums of products with a sliding kernel.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch.
        weight: kernels [features, C / groups, k] of the input's type.
        bias: offsets [features]; None: 0.
        stride: the step from one window to the next, a number.
        padding: zeros on both sides, a number; "valid": none; "same": as many as keep the size, for stride 1.
        dilation: the distance of the kernel's taps, a number.
        groups: channels and features fall into so many groups, each computed by itself.

    Returns:
        Tensor [N, features, ...]; a spatial size is floor((size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1.

    Raises:
        RuntimeError: the shapes or types do not fit each other, the kernel is larger than the padded input, or
            padding="same" with a stride other than 1.

    Example:
        >>> F.conv1d(gpunet.tensor([[[1.0, 2.0, 4.0, 8.0]]]), gpunet.tensor([[[-1.0, 1.0]]]))
        tensor([[[1., 2., 4.]]])
    """
    return convolved("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
           dilation: Sizes = 1, groups: int = 1) -> Tensor:
    """Convolution over 2 spatial dimensions (cross-correlation): sums of products with a sliding kernel.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch.
        weight: kernels [features, C / groups, kH, kW] of the input's type.
        bias: offsets [features]; None: 0.
        stride: the step from one window to the next, one number or two.
        padding: zeros on both sides, one number or two; "valid": none; "same": as many as keep the size, for stride 1.
        dilation: the distance of the kernel's taps, one number or two.
        groups: channels and features fall into so many groups, each computed by itself.

    Returns:
        Tensor [N, features, ...]; a spatial size is floor((size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1.

    Raises:
        RuntimeError: the shapes or types do not fit each other, the kernel is larger than the padded input, or
            padding="same" with a stride other than 1.

    Example:
        >>> F.conv2d(gpunet.ones(1, 1, 3, 3), gpunet.ones(1, 1, 2, 2))
        tensor([[[[4., 4.],
                  [4., 4.]]]])
    """
    return convolved("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes = 0,
                     output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1) -> Tensor:
    """Transposed convolution over 1 spatial dimension: it maps as the gradient of conv1d by its input does.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch.
        weight: kernels [C, features / groups, k] of the input's type.
        bias: offsets [features]; None: 0.
        stride: the step between the windows of neighbouring inputs, a number.
        padding: how much is cut off on both sides, a number.
        output_padding: how much larger the output is on one side, a number; less than stride or dilation.
        groups: channels and features fall into so many groups, each computed by itself.
        dilation: the distance of the kernel's taps, a number.

    Returns:
        Tensor [N, features, ...]; a spatial size is
        (size - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1.

    Raises:
        RuntimeError: the shapes or types do not fit each other, or the output would have no elements.

    Example:
        >>> F.conv_transpose1d(gpunet.tensor([[[1.0, 2.0]]]), gpunet.tensor([[[1.0, 10.0]]]), stride=2)
        tensor([[[ 1., 10.,  2., 20.]]])
    """
    return transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
                       dilation)


def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes = 0,
                     output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1) -> Tensor:
    """Transposed convolution over 2 spatial dimensions: it maps as the gradient of conv2d by its input does.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch.
        weight: kernels [C, features / groups, kH, kW] of the input's type.
        bias: offsets [features]; None: 0.
        stride: the step between the windows of neighbouring inputs, one number or two.
        padding: how much is cut off on both sides, one number or two.
        output_padding: how much larger the output is on one side, one number or two; less than stride or dilation.
        groups: channels and features fall into so many groups, each computed by itself.
        dilation: the distance of the kernel's taps, one number or two.

    Returns:
        Tensor [N, features, ...]; a spatial size is
        (size - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1.

    Raises:
        RuntimeError: the shapes or types do not fit each other, or the output would have no elements.

    Example:
        >>> F.conv_transpose2d(gpunet.ones(1, 1, 2, 2), gpunet.ones(1, 1, 2, 2))
        tensor([[[[1., 2., 1.],
                  [2., 4., 2.],
                  [1., 2., 1.]]]])
    """
    return transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
                       dilation)
