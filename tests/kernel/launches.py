"""How each kernel is launched: instance, grid, block and arguments, from shapes and types.

Every function is `launch(cuda, *outputs, *inputs, **attributes)`, as an op's launch is. `cuda` gives `load`, `empty`,
`xp`, `sm_count` and `errors`.
"""

import math

import numpy as np

from gpunet.kernel import Kernel

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
THREADS = 256


def accumulator(dtype):
    """The type that sums of this type are computed in."""
    return FLOAT64 if dtype == FLOAT64 else FLOAT32


def blocks_of(count, each):
    return -(-count // each)


def aligned(*arrays):
    """Whether 16-byte accesses may start at these arrays."""
    return all([array is None or array.data.ptr % 16 == 0 for array in arrays])


def pack_of(dtype, *arrays):
    """Elements in a 16-byte access, or 1 where an array does not start at a multiple of 16 bytes."""
    return 16 // dtype.itemsize if aligned(*arrays) else 1


def spread(cuda, threads):
    """Blocks for kernels that stride over the grid: enough to fill the device, few enough to start quickly."""
    return min(blocks_of(threads, THREADS), cuda.sm_count * 16)


# ---- matrix product ------------------------------------------------------------------------------------------------

_matmul_float = Kernel("matmul.cu", "matmul_float")
_matmul_any = Kernel("matmul.cu", "matmul_any")

NO_EPILOGUE, BIAS, BIAS_RELU = 0, 1, 2

# Tile height and width, slice of k, warps along m, n and k, and blocks that share a multiprocessor.
LARGE_TILE = (128, 128, 8, 2, 4, 1, 2)
MEDIUM_TILE = (64, 64, 16, 2, 2, 1, 4)
SMALL_TILE = (32, 32, 32, 1, 1, 8, 2)


def choose_tile(cuda, m, n, batch):
    """The largest tile of which there is one for every multiprocessor."""
    for tile in (LARGE_TILE, MEDIUM_TILE):
        if blocks_of(m, tile[0]) * blocks_of(n, tile[1]) * batch >= cuda.sm_count:
            return tile
    return SMALL_TILE


def product(cuda, out, a, b, bias, epilogue, a_t, b_t, m, n, k, batch, a_stride, b_stride):
    """One launch of a matrix product of C-contiguous matrices."""
    if out.dtype != FLOAT32:
        launch = _matmul_any.on(cuda, out.dtype, accumulator(out.dtype), a_t, b_t, epilogue)
        launch(blocks_of(m, 64) * blocks_of(n, 64) * batch, THREADS, out, a, b, bias, m, n, k, a_stride, b_stride)
        return
    # Only operands that k does not run along are read 16 bytes at a time.
    whole = (not a_t or m % 4 == 0) and (b_t or n % 4 == 0) and aligned(a, b)
    vector = 4 if whole and (a_t or not b_t) else 1
    tile = choose_tile(cuda, m, n, batch)
    if tile is LARGE_TILE and epilogue and not b_t and vector == 1:
        tile = MEDIUM_TILE  # this instance of the large tile would spill registers
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


def matmul_op(cuda, out, a, b, *, ta, tb):
    m, n = out.shape[-2:]
    k = a.shape[-2] if ta else a.shape[-1]
    if not out.size:
        return
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


def linear(cuda, out, x, weight, bias, epilogue):
    if not out.size:
        return
    features, depth = weight.shape
    x = cuda.xp.ascontiguousarray(x)
    weight, b_t = matrices(cuda.xp, weight, True)
    product(cuda, out, x, weight, bias, epilogue, False, b_t, out.size // features, features, depth, 1, 0, 0)


def linear_op(cuda, out, x, weight, bias):
    linear(cuda, out, x, weight, bias, NO_EPILOGUE if bias is None else BIAS)


def linear_relu(cuda, out, x, weight, bias):
    linear(cuda, out, x, weight, cuda.xp.zeros(weight.shape[0], weight.dtype) if bias is None else bias, BIAS_RELU)


# ---- bias and ReLU -------------------------------------------------------------------------------------------------

_bias_relu = Kernel("bias_act.cu", "bias_relu")
_bias_relu_backward = Kernel("bias_act.cu", "bias_relu_backward")
_column_sum = Kernel("bias_act.cu", "column_sum")
_column_sum_finish = Kernel("bias_act.cu", "column_sum_finish")


def bias_relu(cuda, out, x, bias):
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


def bias_relu_grad(cuda, dx, db, g, y):
    sum_columns(cuda, _bias_relu_backward, db, (dx,), (g, y))


def column_sum(cuda, out, g):
    sum_columns(cuda, _column_sum, out, (), (g,))


# ---- softmax cross-entropy -----------------------------------------------------------------------------------------

_softmax_ce = Kernel("softmax_ce.cu", "softmax_ce")
_softmax_ce_long = Kernel("softmax_ce.cu", "softmax_ce_long")
_count_valid = Kernel("softmax_ce.cu", "count_valid")
_scaled_sum = Kernel("softmax_ce.cu", "scaled_sum")


def softmax_ce(cuda, loss, dlogits, logits, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    rows, classes = logits.shape
    dtype, wide = logits.dtype, accumulator(logits.dtype)
    scale = None
    if reduction == "mean":
        scale = cuda.empty((1,), wide)
        _count_valid.on(cuda, wide)(1, 1024, scale, target, rows, ignore_index)
    losses = loss if reduction == "none" and dtype == wide else cuda.empty((rows,), wide)
    softmax_rows(cuda, losses, dlogits if with_gradient else None, logits, target, scale, ignore_index,
                 label_smoothing)
    if reduction != "none":
        _scaled_sum.on(cuda, dtype, wide)(1, 1024, loss, losses, scale, rows)
    elif losses is not loss:
        loss[...] = losses


def softmax_rows(cuda, losses, dlogits, logits, target, scale, ignore_index, label_smoothing):
    rows, classes = logits.shape
    dtype, wide = logits.dtype, losses.dtype
    pack = pack_of(dtype, logits, dlogits)
    if classes % pack:
        pack = 1
    # Of a row, in the registers of each of a block's threads: as many as 1024 threads can have without spilling.
    items = 8 if wide == FLOAT64 else 32 if pack > 1 else 16
    arguments = (losses, dlogits, logits, target, scale, cuda.errors, rows, classes, ignore_index, label_smoothing)
    if classes <= 64:
        _softmax_ce.on(cuda, dtype, wide, pack, 8, 8)(blocks_of(rows, 32), 256, *arguments)
    elif classes <= 256:
        _softmax_ce.on(cuda, dtype, wide, pack, 32, 8)(blocks_of(rows, 8), 256, *arguments)
    elif classes <= 1024 and wide == FLOAT32:
        _softmax_ce.on(cuda, dtype, wide, pack, 32, 32)(blocks_of(rows, 8), 256, *arguments)
    elif classes <= 1024 * items:
        threads = 32 * blocks_of(classes, 32 * items)
        _softmax_ce.on(cuda, dtype, wide, pack, 0, items)(rows, threads, *arguments)
    else:
        _softmax_ce_long.on(cuda, dtype, wide, pack if wide == FLOAT32 else 1)(rows, 1024, *arguments)


# ---- random numbers ------------------------------------------------------------------------------------------------

_EXACT = ("-fmad=false",)
_random_bits = Kernel("random.cu", "random_bits", _EXACT)
_uniform = Kernel("random.cu", "uniform", _EXACT)
_normal = Kernel("random.cu", "normal", _EXACT)
_dropout = Kernel("random.cu", "dropout", _EXACT)
_dropout_backward = Kernel("random.cu", "dropout_backward", _EXACT)


def bits_op(cuda, out, state, *, shape, dtype, offset):
    _random_bits.on(cuda)(spread(cuda, blocks_of(out.size, 4)), THREADS, out, state, offset, out.size)


def uniform_op(cuda, out, state, *, shape, dtype, offset):
    blocks = spread(cuda, blocks_of(out.size, 16 // out.itemsize))
    _uniform.on(cuda, out.dtype)(blocks, THREADS, out, state, offset, out.size)


def normal_op(cuda, out, state, *, shape, dtype, offset, mean, std):
    blocks = spread(cuda, blocks_of(out.size, 16 // out.itemsize))
    _normal.on(cuda, out.dtype)(blocks, THREADS, out, state, offset, mean, std, out.size)


def dropout_op(cuda, out, mask, x, state, *, p, offset):
    launch = _dropout.on(cuda, x.dtype, accumulator(x.dtype), 4 if aligned(out, mask, x) else 1)
    launch(spread(cuda, blocks_of(x.size, 4)), THREADS, out, mask, x, state, offset, math.ceil(p * (1 << 24)),
           1.0 / (1.0 - p) if p < 1.0 else 0.0, x.size)


def dropout_grad(cuda, out, g, mask, *, p):
    pack = pack_of(g.dtype, out, g, mask)
    launch = _dropout_backward.on(cuda, g.dtype, accumulator(g.dtype), pack)
    launch(spread(cuda, blocks_of(g.size, pack)), THREADS, out, g, mask, 1.0 / (1.0 - p) if p < 1.0 else 0.0, g.size)


# ---- optimizers ----------------------------------------------------------------------------------------------------

_sgd = Kernel("optim.cu", "sgd")
_adam = Kernel("optim.cu", "adam")


def sgd_step(cuda, parameter, buffer, gradient, rate, step, *, momentum, dampening, weight_decay, nesterov, maximize):
    buffer = buffer if momentum else None
    size, pack = parameter.size, pack_of(parameter.dtype, parameter, buffer, gradient)
    launch = _sgd.on(cuda, parameter.dtype, accumulator(parameter.dtype), pack)
    launch(spread(cuda, blocks_of(size, pack)), THREADS, parameter, gradient, buffer, rate, step, momentum, dampening,
           weight_decay, nesterov, maximize, size)


def adam_step(cuda, parameter, mean, square, largest, gradient, rate, step, *, beta1, beta2, eps, weight_decay,
              decoupled, maximize):
    largest = largest if largest.size else None
    size, pack = parameter.size, pack_of(parameter.dtype, parameter, mean, square, largest, gradient)
    launch = _adam.on(cuda, parameter.dtype, accumulator(parameter.dtype), pack)
    launch(spread(cuda, blocks_of(size, pack)), THREADS, parameter, gradient, mean, square, largest, rate, step, beta1,
           beta2, eps, weight_decay, decoupled, maximize, size)
