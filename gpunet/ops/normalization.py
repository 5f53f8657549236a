"""Normalisation: batch, layer, group, instance and RMS norm are one op, which differs in the dimensions that it takes
the statistics over and in the shape of the weight. Forward and backward are fused; the composition is their oracle."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from gpunet.dispatch import into, op, record, wrap
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES, float32
from gpunet.engine.modes import mode, no_grad
from gpunet.ops import channel_norm, norm_columns_launch, norm_launch, row_norm
from gpunet.ops.blocks import Scratch, pieces
from gpunet.ops.channel_affine import by_channel, channel_affine
from gpunet.ops.channels_last import is_channels_last
from gpunet.ops.exponentials import rsqrt
from gpunet.ops.half import rounded_once
from gpunet.ops.reduce import mean
from gpunet.ops.rules import accumulator, reduced_shape, require_float
from gpunet.ops.running_norm import running_norm, serves

if TYPE_CHECKING:
    from gpunet.tensor import Tensor



def _normalized(x, weight, bias, *, axes, eps, centred):
    statistics = reduced_shape(x.shape, axes, True), accumulator(x.dtype)
    return (x.shape, x.dtype), statistics, statistics


def _mean(xp, x, axes, dtype=None):
    total = xp.add.reduce(x, axes, dtype, None, True)  # np.sum, without the way there
    total /= max(1, x.size // max(1, total.size))
    return total


@op(_normalized, outputs=3)
def normalize(xp, out, centre, spread, x, weight, bias, *, axes, eps, centred):
    """(x - mean) / sqrt(variance + eps) * weight + bias, mean and variance (or, if not centred, 0 and the mean square)
    over `axes`; weight and bias, if any, broadcast to x. Also gives the mean and the variance."""
    empty = Scratch(xp.empty, spread.dtype)
    for y, m, v, part, w, b in _pieces(xp, axes, x.nbytes, out, centre, spread, x, weight, bias):
        result = y if y.dtype == empty.dtype else empty[y.shape, 0]
        if centred:
            m[...] = _mean(xp, part, axes, empty.dtype)
            xp.subtract(part, m, result)
        else:
            m[...] = 0
            xp.copyto(result, part)
        v[...] = _mean(xp, xp.square(result, out=empty[y.shape]), axes)
        factor = 1 / xp.sqrt(v + eps)
        if w is not None and _repeats(w, axes):
            factor, w = factor * w, None
        result *= factor
        if w is not None:
            result *= w
        if b is not None:
            result += b
        if result is not y:
            xp.copyto(y, result, casting="unsafe")


@normalize.cpu(halves=(0, 3))
def _(out, centre, spread, x, weight, bias, *, axes, eps, centred):
    done = channel_norm.forward(out, centre, spread, x, weight, bias, axes, eps) if centred else NotImplemented
    if done is not NotImplemented:
        return done
    return row_norm.forward(out, centre, spread, x, weight, bias, axes, eps, centred)


def _repeats(weight, axes) -> tuple[int, ...]:
    """Those of the axes along which the weight is the same: products with it are then far smaller than x."""
    return tuple([axis for axis in axes if weight.shape[axis] == 1])


def _pieces(xp, axes, total_bytes, *arrays) -> Iterator[Any]:
    """The arrays cut along the first dimension that is not among the axes; those that are 1 there, or None, whole."""
    rank = arrays[0].ndim
    along = next((i for i in range(rank) if i not in axes), None)
    shaped: list[Any] = [None if x is None else x.reshape((1,) * (rank - x.ndim) + x.shape) for x in arrays]
    if along is None:
        yield shaped
        return
    length = shaped[0].shape[along]
    for part in pieces(xp, length, total_bytes):
        cut = (slice(None),) * along + (part,)
        yield [x if x is None or x.shape[along] != length else x[cut] for x in shaped]


def _constant(weight, axes) -> bool:
    """Whether all elements that share statistics share their weight."""
    return all([weight.shape[axis] == 1 for axis in axes])


@normalize.gradient(joint=True)
def _(gradients, _y, centre, spread, x, weight, bias_meta, *, axes, eps, centred, joint=None):
    if gradients[1] is not None or gradients[2] is not None:
        raise RuntimeError("normalize: the statistics have no gradients of their own")
    onto = None if joint is None else joint.onto.pop(0, None)  # of a residual connection around the layer
    dx, dw, db = normalize_grad(gradients[0], x, centre.detach(), spread.detach(), weight, onto, axes=axes, eps=eps,
                                centred=centred)
    return dx, None if weight is None else dw, None if bias_meta is None else db


@normalize.composition
def _(x, weight, bias, *, axes, eps, centred):
    wide = x.to(float32) if x._array.dtype in HALF_TYPES else x
    y = wide - mean(wide, axes, True) if centred else wide
    y = y * rsqrt(mean(y * y, axes, True) + eps)
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias).to(x.dtype)


def _gradients(g, x, centre, spread, weight, onto, **_):
    return (x.shape, x.dtype), *[((0,), x.dtype) if weight is None else (weight.shape, weight.dtype)] * 2


@op(_gradients, outputs=3, differentiable=False)
def normalize_grad(xp, dx, dw, db, g, x, centre, spread, weight, onto, *, axes, eps, centred):
    """The gradients of `normalize` by x, weight and bias; a bias comes with a weight only. The first is added to
    `onto`, unless that is None.

    With c = x - mean, f = 1 / sqrt(variance + eps) and n elements that share statistics:
    dx = f (g w - sum(g w) / n - f^2 c sum(g w c) / n), dw = sum(g c f), db = sum(g).
    """
    if not x.size:
        dw.fill(0)
        db.fill(0)
        return
    shape = () if weight is None else weight.shape
    full = (1,) * (x.ndim - len(shape)) + shape
    summed = tuple([i for i, n in enumerate(full) if n == 1])
    count = max(1, prod([x.shape[axis] for axis in axes]))
    empty = Scratch(xp.empty, centre.dtype)
    by_weight, by_bias = (xp.zeros(full, centre.dtype) for _ in range(2))
    for part, d, gp, m, v, w, dwp, dbp, add in _pieces(xp, axes, x.nbytes, x, dx, g, centre, spread, weight, by_weight,
                                                      by_bias, onto):
        gp = gp.astype(empty.dtype, copy=False)
        c, product = empty[part.shape], empty[part.shape, 1]
        f = 1 / xp.sqrt(v + eps)
        xp.subtract(part, m, c)
        xp.multiply(gp, c, product)
        inner = axes if w is None else _repeats(w, axes)
        if inner:
            along, plain = (xp.add.reduce(each, inner, None, None, True) for each in (product, gp))
            if w is not None:
                dwp += xp.add.reduce(along * f, summed, None, None, True)
                dbp += xp.add.reduce(plain, summed, None, None, True)
                along, plain = along * w, plain * w
            along, plain = (xp.add.reduce(each, axes, None, None, True) for each in (along, plain))
            xp.multiply(gp, f if w is None else f * w, product)
            c *= f * f * f * along / count
            product -= c
            if centred:
                product -= f * plain / count
        elif w is not None:  # always: the statistics are those of rows, and so are the sums: products of matrices
            rows, flat = c.reshape(-1, count), w.reshape(count, 1)
            flat = flat.astype(empty.dtype, copy=False)
            along, plain = (xp.matmul(each.reshape(rows.shape), flat).reshape(f.shape) for each in (product, gp))
            dwp += xp.matmul(f.reshape(1, -1), product.reshape(rows.shape)).reshape(dwp.shape)
            dbp += xp.add.reduce(gp, summed, None, None, True)
            xp.multiply(gp, w, product)
            c *= f * f * along / count
            product -= c
            if centred:
                product -= plain / count
            product *= f
        if add is not None:
            product += add
        xp.copyto(d, product, casting="unsafe")
    if weight is not None:
        xp.copyto(dw, by_weight.reshape(shape), casting="unsafe")
        xp.copyto(db, by_bias.reshape(shape), casting="unsafe")


@normalize_grad.cpu(halves=(0, 3, 4))
def _(dx, dw, db, g, x, centre, spread, weight, onto, *, axes, eps, centred):
    if onto is not None:
        return NotImplemented
    done = channel_norm.backward(dx, dw, db, g, x, centre, spread, weight, axes, eps) if centred else NotImplemented
    if done is not NotImplemented:
        return done
    return row_norm.backward(dx, dw, db, g, x, centre, spread, weight, axes, eps, centred)


normalize.kernel(norm_columns_launch.forward)
normalize.channels_last(norm_columns_launch.channels_last)
normalize.finishes(norm_columns_launch.finished, activations=("Relu",))
normalize.begins("Plus", norm_columns_launch.takes_sum)(norm_columns_launch.after_sum)
normalize_grad.kernel(norm_columns_launch.backward)
normalize_grad.channels_last(norm_columns_launch.channels_last_grad)
normalize_grad.begins("ReluGrad", norm_columns_launch.is_of_channels)(norm_columns_launch.grad_before_relu)


def normalized_by(x, weight, bias, **options):
    """`normalize`, with a bias that may come without a weight."""
    if weight is not None or bias is None:
        return normalize(x, weight, bias, **options)
    y, *statistics = normalize(x, None, None, **options)
    return y + bias, *statistics


# ---- PyTorch's functions -------------------------------------------------------------------------------------------


def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
               bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Tensor:
    """Batch normalisation: y = (x - mean) / sqrt(variance + eps) * weight + bias, with statistics for each channel.

    In training they are those of this batch, over all dimensions but the channels'; else the running ones. In training
    the running ones move towards the batch's by the share `momentum`; for them the variance is divided by the number of
    elements less one.

    Source: Ioffe and Szegedy, "Batch normalization" (2015).

    Args:
        input: tensor [N, C, ...] of a floating-point type.
        running_mean: tensor [C], changed in training; None: not kept.
        running_var: tensor [C], changed in training; None: not kept.
        weight: factors [C]; None: 1.
        bias: offsets [C]; None: 0.
        training: use the statistics of this batch.
        momentum: number, or tensor without dimensions.
        eps: what is added to the variance.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: in training there is only one value for each channel.
        RuntimeError: a tensor does not have C elements, or the running statistics are missing outside of training.

    Example:
        >>> x = gpunet.tensor([[1.0, 10.0], [3.0, 30.0]])
        >>> F.batch_norm(x, None, None, training=True)
        tensor([[-1.0000, -1.0000],
                [ 1.0000,  1.0000]])
    """
    return batch_norm_counted(input, running_mean, running_var, weight, bias, training, momentum, eps, None)


def batch_norm_counted(input, running_mean, running_var, weight, bias, training, momentum, eps, batches) -> Tensor:
    """`batch_norm`, which in training adds one to `batches`, a count on the same device, where that is not None."""
    shape = input._array.shape
    if shape == (0,):  # PyTorch's way for what has no elements
        return input.clone()
    check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if weight is None and bias is not None and is_mixed_on_cpu(input, running_mean, running_var, bias):
        return batch_norm_counted(input.to(float32), running_mean, running_var, weight, bias, training, momentum, eps,
                                  batches).to(input.dtype)
    if not training:
        return by_running(input, running_mean, running_var, weight, bias, eps)
    count = prod(shape) // max(1, shape[1])
    if count == 1:
        raise ValueError(f"batch_norm: expected more than 1 value per channel when training, got an input of {shape}")
    rank = len(shape)
    scale, shift = by_channel(weight, rank), by_channel(bias, rank)
    options = dict(axes=(0, *range(2, rank)), eps=eps, centred=True)
    if _moves_at_once(input, weight, bias, running_mean, running_var, batches, momentum):
        return _normalized_and_moved(input, scale, shift, options, running_mean, running_var, batches, momentum)
    y, centre, spread = normalized_by(input, scale, shift, **options)
    if count:
        update_statistics(running_mean, running_var, centre, spread, momentum, count, batches)
    elif batches is not None:
        batches.add_(1)
    return y


def check_channels(name, input, **others):
    if input._array.ndim < 2:
        raise RuntimeError(f"{name}: expected an input of shape (N, C, ...), got {input._array.shape}")
    require_float(input._array, name)
    for what, tensor in others.items():
        if tensor is not None and tensor._array.shape != input._array.shape[1:2]:
            raise RuntimeError(f"{name}: {what} should have one element for each channel of an input of shape "
                               f"{input._array.shape}, got shape {tensor._array.shape}")


def is_mixed_on_cpu(input, *vectors) -> bool:
    """Whether these are half images beside float32 vectors, on the CPU."""
    return (input._device.type == "cpu" and input._array.dtype in HALF_TYPES
            and all([each is None or each._array.dtype == FLOAT32_NP for each in vectors]))


@op(None, outputs=-1, differentiable=False)
def move_statistics(xp, running_mean, running_var, *arrays, share, correction):
    """Running statistics move by a share towards those of a batch, in place; `correction` is the variance's factor. A
    third output is a count that goes up by one."""
    *batches, centre, spread = arrays
    for count in batches:
        count += 1
    for running, value, factor in ((running_mean, centre, share), (running_var, spread, share * correction)):
        moved = running.astype(value.dtype, copy=False) * (1 - share)
        moved += value.reshape(-1) * factor
        xp.copyto(running, moved, casting="unsafe")


@move_statistics.cpu(halves=(0, 1))
def _(running_mean, running_var, *arrays, share, correction):
    *batches, centre, spread = arrays
    return channel_norm.move(running_mean, running_var, batches, centre, spread, share, correction)


move_statistics.kernel(norm_launch.move)


@op(None, outputs=-1, differentiable=False)
def normalize_moving(xp, out, centre, spread, *arrays, axes, eps, centred, share, correction):
    """`normalize`, and `move_statistics` with what it has found."""
    *moved, x, weight, bias = arrays
    normalize.op.body(xp, out, centre, spread, x, weight, bias, axes=axes, eps=eps, centred=centred)
    move_statistics.op.body(xp, *moved, centre, spread, share=share, correction=correction)


@normalize_moving.cpu(halves=(0, 3, 4, -3))
def _(out, centre, spread, *arrays, axes, eps, centred, share, correction):
    running_mean, running_var, *batches, x, weight, bias = arrays
    done = channel_norm.forward(out, centre, spread, x, weight, bias, axes, eps)
    if done is NotImplemented:
        return done
    return channel_norm.move(running_mean, running_var, batches, centre, spread, share, correction)


normalize_moving.kernel(norm_columns_launch.forward_moving)
normalize_moving.channels_last(norm_columns_launch.channels_last)
normalize_moving.finishes(norm_columns_launch.finished_moving, activations=("Relu",))


def _moves_at_once(x, weight, bias, running_mean, running_var, batches, momentum) -> bool:
    """Whether one call can normalise and move the running statistics."""
    if not isinstance(momentum, float) or weight is None or not x._array.size:
        return False
    dtype = x._array.dtype
    kinds = (dtype, accumulator(dtype)) if x._device.type == "cpu" else (accumulator(dtype),)
    for each in (running_mean, running_var):
        if each is None or each._array.dtype not in kinds or not each._array.flags.c_contiguous:
            return False
    return all([each is None or each._device is x._device
                for each in (weight, bias, running_mean, running_var, batches)])


def _normalized_and_moved(x, weight, bias, options, running_mean, running_var, batches, momentum):
    device, array, count = x._device, x._array, x._array.size // x._array.shape[1]
    arrays = array, weight._array, None if bias is None else bias._array
    results = tuple([wrap(each, device) for each in
                     device.allocate(normalize.op, normalize.op.result(arrays, options), arrays, options)])
    moved = [running_mean, running_var, *([] if batches is None else [batches])]
    into(normalize_moving.op, (*results, *moved), x, weight, bias, fresh=len(results), **options, share=momentum,
         correction=count / max(1, count - 1))
    if mode.grad and any([each is not None and each._requires_grad for each in (x, weight, bias)]):
        record(normalize.op, results, (x, weight, bias), options)
    return results[0]


@no_grad()
def update_statistics(running_mean, running_var, centre, spread, momentum, count, batches=None):
    batches = [] if batches is None else [batches]
    if isinstance(momentum, float) and all([t is not None and t._array.dtype == centre._array.dtype
                                            and t._array.flags.c_contiguous for t in (running_mean, running_var)]):
        into(move_statistics.op, (running_mean, running_var, *batches), centre, spread, share=momentum,
             correction=count / max(1, count - 1))
        return
    for each in batches:
        each.add_(1)
    if running_mean is not None:
        running_mean.mul_(1 - momentum).add_(centre.detach().reshape(-1) * momentum)
    if running_var is not None:
        running_var.mul_(1 - momentum).add_(spread.detach().reshape(-1) * (momentum * (count / max(1, count - 1))))


def by_running(input, running_mean, running_var, weight, bias, eps):
    if running_mean is None or running_var is None:
        raise RuntimeError("batch_norm: expected running_mean and running_var to be tensors when training=False")
    if serves(input, running_mean, running_var, weight, bias):
        return running_norm(input, running_mean, running_var, weight, bias, eps=eps)
    return _by_running_recorded(input, running_mean, running_var, weight, bias, eps)


@rounded_once
def _by_running_recorded(input, running_mean, running_var, weight, bias, eps):
    rank, shape = input._array.ndim, input._array.shape
    factor = rsqrt(running_var + eps)
    factor = factor if weight is None else factor * weight
    offset = -running_mean * factor if bias is None else bias - running_mean * factor
    stays = input._device.type != "cpu" and is_channels_last(input._array)  # element-wise ops keep the format
    if input._array.dtype == factor._array.dtype == offset._array.dtype and not stays:
        return channel_affine(input.reshape(shape[0], shape[1], prod(shape[2:])), factor, offset).reshape(shape)
    return (input * by_channel(factor, rank) + by_channel(offset, rank)).to(input.dtype)
