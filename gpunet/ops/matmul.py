"""Matrix products, and the linear layer with its bias and ReLU fused in."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gpunet.dispatch import bind, op
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES, public
from gpunet.kernel import Kernel
from gpunet.ops.activation import relu_op
from gpunet.ops.launching import (
    FLOATS,
    KERNEL_TYPES,
    THREADS,
    aligned,
    blocks_of,
    by_type,
    by_type_and_pack,
    pack_of,
    spread,
)
from gpunet.ops.rules import accumulator, broadcast

__all__ = ["bmm", "dot", "matmul", "mm"]


def _flip(shape):
    return (*shape[:-2], shape[-1], shape[-2])


def _product(a, b, *, ta=False, tb=False):
    sa, sb = _flip(a.shape) if ta else a.shape, _flip(b.shape) if tb else b.shape
    if a.dtype != b.dtype:
        raise RuntimeError(f"matmul: expected two tensors of one type, got {public(a.dtype)} and {public(b.dtype)}; "
                           "convert one with .to(dtype)")
    if sa[-1] != sb[-2]:
        raise RuntimeError(f"matmul: the inner sizes of {sa} and {sb} differ ({sa[-1]} and {sb[-2]}); the last size of "
                           "the first must equal the last but one of the second")
    if len(sa) == len(sb) == 2:
        return (sa[0], sb[1]), a.dtype
    return (*broadcast(sa[:-2], sb[:-2]), sa[-2], sb[-1]), a.dtype


def _into(xp, out, a, b, bias=None):
    """out = a @ b + bias; half types accumulate in float32."""
    wide = out
    if out.dtype in HALF_TYPES:
        wide = xp.matmul(a.astype("float32"), b.astype("float32"))
    else:
        xp.matmul(a, b, out=out)
    if bias is not None:
        wide += bias
    if wide is not out:
        xp.copyto(out, wide, casting="unsafe")


@op(_product, strided=True, broadcasts="batch")
def matmul_op(xp, out, a, b, *, ta=False, tb=False):
    """a @ b over the last two dimensions, each transposed first if its flag is set; batch dimensions broadcast."""
    _into(xp, out, a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)


@matmul_op.gradient(needs=("b", "a"))
def _(g, _, a, b, *, ta=False, tb=False):
    # With C = A' B' (' as flagged): dA' = G B'^T and dB' = A'^T G; a transposed operand takes the transposed result.
    def left():
        return matmul_op(b, g, ta=tb, tb=True) if ta else matmul_op(g, b, ta=False, tb=not tb)

    def right():
        return matmul_op(g, a, ta=True, tb=ta) if tb else matmul_op(a, g, ta=not ta, tb=False)

    return left, right


_matmul = bind(matmul_op)  # called faster than the op, which takes attributes


def matmul(input, other):
    """The matrix product as `torch.matmul`: vectors are rows on the left and columns on the right, and leading
    dimensions are a batch that broadcasts."""
    ra, rb = input._array.ndim, other._array.ndim
    if ra >= 2 and rb >= 2:
        return _matmul(input, other)
    if ra == 0 or rb == 0:
        raise RuntimeError(f"matmul: both tensors need at least 1 dimension, got {ra} and {rb}; use * for numbers")
    if ra == 1 and rb == 1:
        if input.shape != other.shape:
            raise RuntimeError(f"matmul: vectors of sizes {input.shape[0]} and {other.shape[0]} have no dot product; "
                               "the sizes must be equal")
        return matmul_op(input.unsqueeze(0), other.unsqueeze(1), ta=False, tb=False).reshape(())
    if ra == 1:
        return matmul_op(input.unsqueeze(0), other, ta=False, tb=False).squeeze(-2)
    return matmul_op(input, other.unsqueeze(1), ta=False, tb=False).squeeze(-1)


def dot(input, tensor):
    """The inner product of two vectors."""
    if input._array.ndim != 1 or tensor._array.ndim != 1:
        raise RuntimeError(f"dot: expected two vectors, got shapes {tuple(input.shape)} and {tuple(tensor.shape)}")
    return matmul(input, tensor)


def _fixed_rank(name, rank):
    def product(input, mat2):
        for x in (input, mat2):
            if x._array.ndim != rank:
                raise RuntimeError(f"{name}: expected tensors of {rank} dimensions, got shape {tuple(x.shape)}; "
                                   "matmul takes any")
        if rank == 3 and input.shape[0] != mat2.shape[0]:
            raise RuntimeError(f"bmm: batch sizes {input.shape[0]} and {mat2.shape[0]} differ")
        return _matmul(input, mat2)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = f"The matrix product of tensors with exactly {rank} dimensions."
    return product


mm, bmm = _fixed_rank("mm", 2), _fixed_rank("bmm", 3)


# ---- the linear layer ----------------------------------------------------------------------------------------------


def _layer(x, weight, bias):
    shape, wanted, dtype = x.shape, weight.shape, x.dtype
    if len(wanted) != 2 or not shape or shape[-1] != wanted[1]:
        raise RuntimeError(f"linear: an input of shape {shape} does not fit a weight of shape {wanted} "
                           "[out_features, in_features]: the input's last size must be in_features")
    if dtype != weight.dtype:
        raise RuntimeError(f"linear: input type {public(dtype)} and weight type {public(weight.dtype)} differ; "
                           "convert one with .to(dtype)")
    if bias is not None and (bias.shape != wanted[:1] or bias.dtype != dtype):
        raise RuntimeError(f"linear: expected a bias of shape {wanted[:1]} and type {public(dtype)}, got "
                           f"{bias.shape} and {public(bias.dtype)}")
    return (*shape[:-1], wanted[0]), dtype


@op(_layer, strided=True)
def linear_op(xp, out, x, weight, bias):
    """x W^T + b: on the GPU one kernel, the bias in its epilogue."""
    _into(xp, out, x, weight.T, bias)


@op(_layer, strided=True)
def linear_relu(xp, out, x, weight, bias):
    """max(x W^T + b, 0): on the GPU one kernel, bias and ReLU in its epilogue."""
    linear_op.op.body(xp, out, x, weight, bias)
    xp.maximum(out, 0, out=out)


def _as_rows(x):
    """A tensor of any number of leading dimensions as a matrix. (A -1 could not be resolved for rows of size 0.)"""
    shape = x._array.shape
    return x if len(shape) == 2 else x.reshape(math.prod(shape[:-1]), shape[-1])


def _layer_gradient(g, x, weight, bias_gradient):
    """The gradients of the product; g, x may have any number of leading dimensions."""
    return (lambda: matmul_op(g, weight) if g._array.ndim > 1 else matmul(g, weight),
            lambda: matmul_op(_as_rows(g), _as_rows(x), ta=True, tb=False),
            bias_gradient)


@linear_op.gradient(needs=("weight", "x", ""))
def _(g, _, x, weight):
    return _layer_gradient(g, x, weight, lambda: column_sum(_as_rows(g)))


@linear_relu.gradient
def _(g, y, x, weight, bias):
    dx, db = bias_relu_grad(_as_rows(g), _as_rows(y))
    return _layer_gradient(dx.reshape(y._array.shape), x, weight, db)


@linear_op.composition(second=False)
def _(x, weight, bias):
    y = matmul(x, weight.t())
    return y if bias is None else y + bias


@linear_relu.composition
def _(x, weight, bias):
    return relu_op(linear_op.op.via(x, weight, bias))


def linear(input, weight, bias=None):
    """input @ weight.T + bias, with weight [out_features, in_features] and input [..., in_features]."""
    return linear_op(input, weight, bias)


# ---- bias and ReLU -------------------------------------------------------------------------------------------------


def _biased(x, bias):
    if bias.ndim != 1 or x.ndim == 0 or x.shape[-1] != bias.shape[0] or x.dtype != bias.dtype:
        raise RuntimeError(f"bias_relu: a bias of shape {bias.shape} and type {public(bias.dtype)} does not fit an "
                           f"input of shape {x.shape} and type {public(x.dtype)}: it must have the input's last size "
                           "and type")
    return x.shape, x.dtype


@op(_biased)
def bias_relu(xp, out, x, bias):
    """max(x + bias, 0) with the bias along the last dimension: one pass over memory."""
    xp.add(x, bias, out)
    xp.maximum(out, 0, out=out)


@bias_relu.gradient
def _(g, y):
    dx, db = bias_relu_grad(_as_rows(g), _as_rows(y))
    return dx.reshape(y._array.shape), db


@bias_relu.composition
def _(x, bias):
    return relu_op(x + bias)


@op(lambda g, y: ((g.shape, g.dtype), (g.shape[-1:], g.dtype)), outputs=2, differentiable=False)
def bias_relu_grad(xp, dx, db, g, y):
    """The gradient through ReLU (g where y > 0), and its column sums, in one pass and in a fixed order."""
    xp.multiply(g, y > 0, dx)
    _sum_rows(xp, db, dx)


def _sum_rows(xp, out, g):
    if out.dtype in HALF_TYPES:
        xp.copyto(out, xp.sum(g, axis=0, dtype="float32"), casting="unsafe")
    else:
        xp.sum(g, axis=0, out=out)


@op(lambda g: (g.shape[-1:], g.dtype))
def column_sum(xp, out, g):
    """The sum over the rows of a matrix: the gradient of a bias."""
    _sum_rows(xp, out, g)


@column_sum.gradient
def _(gg, _y, g_meta):
    return (gg.expand(g_meta.shape),)


# ---- launches: matrix products ---------------------------------------------------------------------------------------

NO_EPILOGUE, BIAS, BIAS_RELU = 0, 1, 2

# Tile height and width, slice of k, warps along m, n and k, and blocks that share a multiprocessor.
LARGE_TILE = (128, 128, 8, 2, 4, 1, 2)
MEDIUM_TILE = (64, 64, 16, 2, 2, 1, 4)
SMALL_TILE = (32, 32, 32, 1, 1, 8, 2)


def _layouts() -> Iterator[tuple]:
    """Whether a and b are transposed, and the epilogue: a layer's input is not transposed."""
    for a_t in (False, True):
        for b_t in (False, True):
            for epilogue in (NO_EPILOGUE,) if a_t else (NO_EPILOGUE, BIAS, BIAS_RELU):
                yield a_t, b_t, epilogue


def _float_instances() -> Iterator[tuple]:
    for a_t, b_t, epilogue in _layouts():
        for vector in (4, 1) if a_t or not b_t else (1,):
            for tile in (LARGE_TILE, MEDIUM_TILE, SMALL_TILE):
                if tile is not LARGE_TILE or not _spills(a_t, b_t, vector):
                    yield a_t, b_t, vector, epilogue, *tile


def _spills(a_t, b_t, vector) -> bool:
    """These instances of the large tile would spill registers."""
    return vector == 1 and (a_t or not b_t)


_matmul_float = Kernel("matmul.cu", "matmul_float", instances=_float_instances)
_matmul_any = Kernel("matmul.cu", "matmul_any", instances=lambda: (
    (dtype, accumulator(dtype), *layout) for dtype in FLOATS if dtype != FLOAT32_NP for layout in _layouts()))


def choose_tile(cuda, m, n, batch):
    """The largest tile of which there is one for every multiprocessor."""
    for tile in (LARGE_TILE, MEDIUM_TILE):
        if blocks_of(m, tile[0]) * blocks_of(n, tile[1]) * batch >= cuda.sm_count:
            return tile
    return SMALL_TILE


def product(cuda, out, a, b, bias, epilogue, a_t, b_t, m, n, k, batch, a_stride, b_stride):
    """One launch of a matrix product of C-contiguous matrices."""
    if out.dtype != FLOAT32_NP:
        launch = _matmul_any.on(cuda, out.dtype, accumulator(out.dtype), a_t, b_t, epilogue)
        launch(blocks_of(m, 64) * blocks_of(n, 64) * batch, THREADS, out, a, b, bias, m, n, k, a_stride, b_stride)
        return
    # Only operands that k does not run along are read 16 bytes at a time.
    whole = (not a_t or m % 4 == 0) and (b_t or n % 4 == 0) and aligned(a, b)
    vector = 4 if whole and (a_t or not b_t) else 1
    tile = choose_tile(cuda, m, n, batch)
    if tile is LARGE_TILE and _spills(a_t, b_t, vector):
        tile = MEDIUM_TILE
    launch = _matmul_float.on(cuda, a_t, b_t, vector, epilogue, *tile)
    blocks = blocks_of(m, tile[0]) * blocks_of(n, tile[1]) * batch
    launch(blocks, 32 * tile[3] * tile[4] * tile[5], out, a, b, bias, m, n, k, a_stride, b_stride)


def matrices(xp, x, flag):
    """`x` as C-contiguous matrices and whether they are to be transposed: a transposed view is no copy."""
    if x.flags.c_contiguous:
        return x, flag
    turned = x.swapaxes(-1, -2)
    if turned.flags.c_contiguous:
        return turned, not flag
    return xp.ascontiguousarray(x), flag


@matmul_op.kernel
def _(cuda, out, a, b, *, ta=False, tb=False):
    if out.dtype not in KERNEL_TYPES:
        return NotImplemented
    m, n = out.shape[-2:]
    k = a.shape[-2] if ta else a.shape[-1]
    if not out.size:
        return None
    batch = out.size // (m * n)
    operands = []
    for x, flag in ((a, ta), (b, tb)):
        leading = x.shape[:-2]
        if math.prod(leading) not in (1, batch):
            x = cuda.xp.broadcast_to(x, (*out.shape[:-2], *x.shape[-2:]))
        x, flag = matrices(cuda.xp, x, flag)
        operands.append((x, flag, 0 if math.prod(leading) == 1 else x.shape[-2] * x.shape[-1]))
    (a, ta, a_stride), (b, tb, b_stride) = operands
    if b_stride == 0 and not ta and a_stride:  # one right operand for all: the batch is more rows
        m, batch, a_stride = m * batch, 1, 0
    product(cuda, out, a, b, None, NO_EPILOGUE, ta, tb, m, n, k, batch, a_stride, b_stride)
    return None


def _layer_product(cuda, out, x, weight, bias, epilogue):
    if out.dtype not in KERNEL_TYPES:
        return NotImplemented
    if not out.size:
        return None
    features, depth = weight.shape
    x = cuda.xp.ascontiguousarray(x)
    weight, b_t = matrices(cuda.xp, weight, True)
    product(cuda, out, x, weight, bias, epilogue, False, b_t, out.size // features, features, depth, 1, 0, 0)
    return None


@linear_op.kernel
def _(cuda, out, x, weight, bias):
    return _layer_product(cuda, out, x, weight, bias, NO_EPILOGUE if bias is None else BIAS)


@linear_relu.kernel
def _(cuda, out, x, weight, bias):
    if bias is None:
        bias = cuda.xp.zeros(weight.shape[0], weight.dtype)
    return _layer_product(cuda, out, x, weight, bias, BIAS_RELU)


# ---- launches: bias and ReLU ------------------------------------------------------------------------------------

_bias_relu = Kernel("bias_act.cu", "bias_relu", instances=by_type_and_pack)
_bias_relu_backward = Kernel("bias_act.cu", "bias_relu_backward", instances=by_type_and_pack)
_column_sum = Kernel("bias_act.cu", "column_sum", instances=by_type_and_pack)
_column_sum_finish = Kernel("bias_act.cu", "column_sum_finish", instances=by_type)


@bias_relu.kernel
def _(cuda, out, x, bias):
    pack = pack_of(x.dtype, x, out)
    launch = _bias_relu.on(cuda, x.dtype, accumulator(x.dtype), pack)
    launch(spread(cuda, blocks_of(x.size, pack)), THREADS, out, x, bias, x.size, bias.size)


def sum_columns(cuda, kernel, sums, outputs, inputs):
    """Column sums in one launch, or in two where the rows must be split to give enough blocks. The split follows from
    the shape alone, so that results do not depend on the device."""
    rows, columns = inputs[0].shape
    dtype, wide = sums.dtype, accumulator(sums.dtype)
    if not rows or not columns:
        sums.fill(0)
        return
    pack = pack_of(dtype, *outputs, *inputs) if columns % (16 // dtype.itemsize) == 0 else 1
    strips = blocks_of(columns, 32 * pack)
    ranges = max(1, min(blocks_of(rows, 64), 512 // strips))
    each = blocks_of(rows, ranges)
    ranges = blocks_of(rows, each)
    direct = ranges == 1 and dtype == wide
    partial = sums if direct else cuda.empty((ranges, columns), wide)
    kernel.on(cuda, dtype, wide, pack)((strips, ranges), THREADS, *outputs, partial, *inputs, rows, columns, each)
    if not direct:
        launch = _column_sum_finish.on(cuda, dtype, wide)
        launch(blocks_of(columns, THREADS), THREADS, sums, partial, ranges, columns)


@bias_relu_grad.kernel
def _(cuda, dx, db, g, y):
    sum_columns(cuda, _bias_relu_backward, db, (dx,), (g, y))


@column_sum.kernel
def _(cuda, out, g):
    sum_columns(cuda, _column_sum, out, (), (g,))
