"""The project's own kernels under the checker, through the ops that launch them: a sweep of small shapes, with edges
that fill vectors, warps, tiles and blocks only in part. Nothing may be found."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from unittest import mock

import ml_dtypes
import numpy as np
import pytest

import gpunet
import gpunet.ops
from gpunet import devices, sim
from gpunet.devices.cuda import CudaDevice
from gpunet.devices.joined import Epilogue
from gpunet.kernel import Kernel
from gpunet.nn import functional as F
from gpunet.ops import conv, conv_channels_launch, linear, matmul, matmul_hopper, norm_columns_launch
from gpunet.ops.dropout import dropout_added
from gpunet.ops.epilogue import GELU, NONE, RELU, SILU
from gpunet.ops.linear_epilogue import linear_with
from gpunet.ops.matmul_launch import Product, operand
from gpunet.ops.norm_relu import batch_norm_relu
from gpunet.ops.recurrent import CELLS, sequence_op
from gpunet.ops.windows import windows
from gpunet.sim.checker import checking

HALF, HALF_NP = gpunet.bfloat16, np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Sweep:
    """Calls of ops on the simulated device. `kernels`: what they must have launched, so that none is left out."""

    kernels: str
    run: Callable[[], object]


def normal(*shape, dtype=gpunet.float32, grad=True):
    return gpunet.randn(*shape, device="sim").to(dtype).requires_grad_(grad)


def backward(y):
    y.backward(gpunet.ones_like(y))


def bias_relu(dtype):
    for rows, columns in [(1, 1), (3, 5), (7, 8), (33, 100), (130, 36)]:
        backward(linear.bias_relu(normal(rows, columns, dtype=dtype), normal(columns, dtype=dtype)))


def column_sums(dtype):
    for rows, columns in [(1, 1), (5, 3), (64, 8), (65, 40), (200, 33), (700, 4)]:
        linear.column_sum(normal(rows, columns, dtype=dtype, grad=False))


def sums(dtype):
    for shape, dim in [((5, 9), 1), ((3, 1100), 1), ((70, 33), 0), ((3, 4, 5, 8), (0, 2, 3)), ((9000,), 0),
                       ((700, 6), 0)]:
        x = normal(*shape, dtype=dtype, grad=False)
        x.sum(dim)
        gpunet.linalg.vector_norm(x, 2, dim)
        (x > 0).sum(dim)
        (x > 0).any(dim)
    normal(5, 9, dtype=dtype, grad=False).prod(1)


def products(dtype):
    for m, n, k in [(1, 1, 1), (7, 5, 3), (64, 64, 16), (65, 36, 17), (3, 200, 33), (5, 4, 0)]:
        backward(gpunet.matmul(normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)))
    backward(gpunet.matmul(normal(3, 4, 6, dtype=dtype), normal(3, 6, 5, dtype=dtype)))
    q, k = (normal(2, 5, 3, 8, dtype=dtype).transpose(1, 2) for _ in range(2))  # heads behind rows
    backward(gpunet.matmul(gpunet.matmul(q, k.transpose(2, 3)), k) + q)


def in_tf32(precision="high"):
    gpunet.set_float32_matmul_precision(precision)
    try:
        products(gpunet.float32)
        tiles(1)
    finally:
        gpunet.set_float32_matmul_precision("highest")


def long_products():
    for dtype, k in ((gpunet.float32, 1030), (HALF, 8192)):
        gpunet.matmul(normal(3, k, dtype=dtype, grad=False), normal(k, 5, dtype=dtype, grad=False))


def layers(dtype):
    for rows, features, depth in [(1, 1, 1), (33, 10, 7), (64, 64, 12)]:
        x, weight = normal(rows, depth, dtype=dtype), normal(features, depth, dtype=dtype)
        bias = normal(features, dtype=dtype)
        backward(F.linear(x, weight, bias))
        backward(linear.linear_relu(x, weight, bias))


def epilogues(dtype):
    """Everything that may follow a product, in both tiles of narrow types, where warps or blocks share k, and of rows
    that are whole packs and not."""
    for rows, features, depth in [(33, 10, 7), (66, 72, 12), (132, 136, 8), (3, 5, 1030)]:
        x, weight, bias = (normal(*shape, dtype=dtype) for shape in ((rows, depth), (features, depth), (features,)))
        for activation in (RELU, GELU, SILU):
            backward(linear_with(x, weight, bias, activation, normal(rows, features, dtype=dtype)))
            with gpunet.no_grad():
                linear_with(x, weight, None, activation, None)


SMALL_SHAPES = [((132, 136, 20), False, False), ((65, 67, 31), True, True), ((131, 40, 9), False, True)]


def tiles(sm_count, dtype="float32", capability=80, shapes=SMALL_SHAPES):
    """Every tile: which one is chosen depends on the number of multiprocessors."""
    opened = devices.get("sim")
    cuda = CudaDevice(opened.name, opened.xp, opened.load, sm_count=sm_count, capability=capability, synchronous=True)
    for (m, n, k), ta, tb in shapes:
        a, b = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
        a, b = (cuda.xp.ones(shape, dtype) for shape in (a, b))
        out = cuda.empty((m, n), a.dtype)
        matmul.matmul_op.op.launch(cuda, out, a, b, ta=ta, tb=tb)
        assert (out == k).all()


def on_hopper(tile_n, ta, tb, dtype=HALF_NP):
    """A ring that is filled more than once, several tiles for a block, a sum with what is there, edges, parts of k."""
    opened = devices.get("sim")
    cuda = CudaDevice(opened.name, opened.xp, opened.load, sm_count=2, capability=90, synchronous=True)
    for m, n, k, parts in [(136, 264, 520, 1), (40, 70, 72, 1), (40, 70, 136, 2)]:
        shapes = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n + -n % 8))
        a, b = (cuda.xp.ones(shape, dtype) for shape in shapes)
        out, onto, bias = cuda.empty((m, n), dtype), cuda.xp.ones((m, n), dtype), cuda.xp.ones(n, dtype)
        left, right = operand(cuda, a, ta), operand(cuda, b if tb else b[:, :n], tb)
        kept = cuda.empty((m, n), dtype)
        for activation in (NONE, GELU):
            product = Product(out, left, right, m, n, k, bias=bias, onto=onto, kept=kept, activation=activation)
            if dtype == np.float32 and not tb:
                product, parts = matmul_hopper.turned(product), 1
            matmul_hopper.launch_hopper(cuda, product, tile_n, parts=parts)
            for each in (out, kept):
                assert (each.astype("float32") == float(np.float32(k + 2).astype(dtype))).all()


def numbered():
    """Functions with numbers, and of three arrays, with and without 16-byte accesses."""
    for dtype in (gpunet.float32, HALF):
        for size in (1, 37, 1024):
            x = normal(size, dtype=dtype)
            backward(F.leaky_relu(x) + F.elu(x) + F.softplus(x) + F.mish(x) + F.softshrink(x, 0.2) + x**3)
            backward(F.binary_cross_entropy(x.sigmoid(), normal(size, dtype=dtype, grad=False).sigmoid()))


def cross_entropy(dtype, columns):
    for rows in (1, 5, 37, 300) if columns < 64 else (1, 5, 37):
        target = gpunet.randint(0, columns, (rows,), device="sim")
        target[0] = -100 if rows > 1 else 0
        for reduction, smoothing in (("mean", 0.0), ("sum", 0.1), ("none", 0.1)):
            backward(F.cross_entropy(normal(rows, columns, dtype=dtype), target, reduction=reduction,
                                     label_smoothing=smoothing))


def optimizers(dtype):
    optim = gpunet.optim
    for make in (lambda p: optim.SGD(p, lr=0.1), lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
                 lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
                 lambda p: optim.RMSprop(p, momentum=0.9, centered=True), optim.ASGD, optim.NAdam, optim.Rprop):
        shapes = (1,), (5, 7), (64, 20), (4099,)
        parameters = [gpunet.nn.Parameter(normal(*shape, dtype=dtype, grad=False)) for shape in shapes]
        optimizer = make(parameters)
        for _ in range(2):
            for parameter in parameters:
                parameter.grad = normal(*parameter.shape, dtype=dtype, grad=False)
            optimizer.step()


def gradients(dtype):
    for shapes in ([(1,)], [(5, 7), (4099,), (64, 20), (3,)]):
        grads = [normal(*shape, dtype=dtype, grad=False) for shape in shapes]
        parameters = [gpunet.nn.Parameter(gpunet.zeros_like(g)) for g in grads]
        for parameter, g in zip(parameters, grads, strict=True):
            parameter.grad = g
        utils = gpunet.nn.utils
        for order in (2.0, 1.0, float("inf")):
            utils.clip_grad_norm_(parameters, 0.1, order)
        utils.clip_grads_with_norm_(parameters, 0.1, utils.get_total_norm(grads))
    scaler, optimizer = gpunet.amp.GradScaler("sim"), gpunet.optim.SGD(parameters)
    scaler.scale(gpunet.ones((), device="sim"))
    scaler.step(optimizer)
    scaler.update()


def element_wise(dtype):
    for rows, columns in [(1, 1), (3, 5), (7, 64)]:
        a, b = normal(rows, columns, dtype=dtype), normal(rows, columns, dtype=dtype)
        row, column = normal(columns, dtype=dtype, grad=False), normal(rows, 1, dtype=dtype, grad=False)
        backward(F.gelu((a + b) * row - column))
        backward(F.hardswish(F.relu6(a)))
        gpunet.where(a > b, a, row)
        gpunet.where(a > 0, a, b)
        gpunet.arange(3, 3 + rows * columns, device="sim")
        a.to(gpunet.float64).to(dtype).t().contiguous()
        turned = b.t().contiguous().t()
        backward(gpunet.where(a > turned, F.silu(a[:, ::2] * 2).sum(), turned) + a)
        a.t().to(gpunet.float64)
        b.detach().t().exp()
        gpunet.arange(rows, device="sim")[:, None] // 2 + (gpunet.arange(columns, device="sim") & 3)
        backward(gpunet.cat([a, b, row[None]]) * 2)
        backward(a[:, columns // 2:] * 2)


def random_numbers(dtype):
    for size in (1, 3, 8, 1000, 1025):
        gpunet.rand(size, dtype=dtype, device="sim")
        gpunet.randn(size, dtype=dtype, device="sim")
        gpunet.randint(0, 10, (size,), device="sim")
        backward(F.dropout(normal(size, dtype=dtype), 0.3))
        backward(dropout_added(normal(size, dtype=dtype), normal(size, dtype=dtype), 0.3, True))


def scatters(dtype):
    for rows, columns, count in [(1, 1, 1), (5, 3, 40), (3, 65, 200), (300, 2, 2500)]:
        x, value = normal(rows, columns, dtype=dtype, grad=False), normal(count, columns, dtype=dtype, grad=False)
        index = gpunet.randint(0, rows, (count,), device="sim")
        x.index_add_(0, index, value)
        x[index] = value
        x.index_reduce_(0, index, value, "amax", include_self=True)
        backward(F.embedding(index, normal(rows, columns, dtype=dtype)))


def convolutions(dtype):
    for features, channels, groups, size, options in [(5, 3, 1, 7, dict(padding=1)), (40, 4, 2, 6, dict(stride=2)),
                                                      (70, 2, 1, 5, dict(padding=2, dilation=2))]:
        x = normal(3, channels, size, size + 1, dtype=dtype)
        weight = normal(features, channels // groups, 3, 2, dtype=dtype)
        backward(F.conv2d(x, weight, normal(features, dtype=dtype), groups=groups, **options))
    for multiplier, kernel, stride in ((1, 3, 1), (2, 5, 2), (1, 7, 2)):
        x, weight = normal(2, 3, 9, 11, dtype=dtype), normal(3 * multiplier, 1, kernel, kernel, dtype=dtype)
        backward(F.conv2d(x, weight, normal(3 * multiplier, dtype=dtype), stride, kernel // 2, groups=3))
    nn = gpunet.nn
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6), nn.ReLU())
    backward(model.to("sim").to(dtype)(normal(2, 3, 7, 9, dtype=dtype)))
    with gpunet.no_grad():
        model.eval()(normal(2, 3, 7, 9, dtype=dtype))
        for groups in (1, 6):
            layer = (normal(6, 6 // groups, 3, 3, dtype=dtype), normal(6, dtype=dtype), 1, 1, 1, groups)
            for shape in ((2, 6, 5, 7), (2, 6, 4, 8)):
                conv.convolved("conv2d", 2, normal(*shape, dtype=dtype), *layer, SILU,
                               onto=normal(*shape, dtype=dtype))
        for shape in ((2, 6, 4, 8), (2, 6, 3, 3), (4, 6)):
            model[1](normal(*shape, dtype=dtype)) if len(shape) == 4 else F.batch_norm(
                normal(*shape, dtype=dtype), model[1].running_mean, model[1].running_var)
    backward(F.conv_transpose1d(normal(2, 3, 5, dtype=dtype), normal(3, 4, 3, dtype=dtype), stride=2))


def tensor_convolutions(dtype):
    """In both tiles; weights and planes of whole chunks, and not; sums by the weight that blocks share."""
    opened = devices.get("sim")
    for sm_count in (1, 10_000):
        cuda = CudaDevice(opened.name, opened.xp, opened.load, sm_count=sm_count, synchronous=True)
        cuda.tf32 = True
        for features, channels, groups, size, stride in [(70, 16, 1, (4, 6), 1), (132, 3, 1, (5, 9), 2),
                                                         (6, 4, 2, (32, 40), 1)]:
            at = windows(size, (3, 2), (stride, stride), ((1, 1), (1, 0)), (1, 2))
            x, w, bias, g = (cuda.xp.ones(shape, dtype) for shape in (
                (2, channels, *size), (features, channels // groups, 3, 2), (features,), (2, features, *at.out)))
            options = dict(at=at, groups=groups)
            for activation in (RELU, GELU):
                conv.conv_epilogue.op.launch(cuda, cuda.empty(g.shape, g.dtype), x, w, bias, bias, bias * bias, bias,
                                             bias, g, eps=1e-5, activation=activation, **options)
            conv.conv_input_grad.op.launch(cuda, cuda.empty(x.shape, x.dtype), g, w, **options)
            conv.conv_weight_grad.op.launch(cuda, cuda.empty(w.shape, w.dtype), g, x, **options)


def convolutions_in_channels_last(dtype):
    """In every tile; channels and features of whole chunks, and not; sums by the weight that blocks share."""
    launches = conv_channels_launch
    in_channels_last(dtype, [dict(_TILES=(tile,), _WEIGHT_TILES=(by_weight,)) for tile, by_weight in (
        (launches.LARGE, launches.LARGE), (launches.TALL, launches.WIDE), (launches.TALL, launches.TALL),
        (launches.SMALL, launches.SMALL))])


def convolutions_by_multiply_adds(dtype):
    """The same without tensor cores; of groups by single numbers."""
    launches = conv_channels_launch
    in_channels_last(dtype, [
        dict(_ANY=(tile,), _ANY_WEIGHT=(by_weight,), on_tensor_cores=lambda *_: False)
        for tile, by_weight in zip(launches._ANY, launches._ANY_WEIGHT, strict=True)])


def depthwise_in_channels_last(dtype):
    """Whole packs of channels and not; filters that slide, and not; several of a channel; rows that blocks share."""
    for channels, multiplier, kernel, stride, size in [(72, 1, (3, 3), 1, (5, 9)), (16, 1, (7, 7), 1, (8, 11)),
                                                       (16, 1, (5, 5), 2, (7, 9)), (5, 1, (3, 3), 1, (5, 6)),
                                                       (3, 2, (3, 3), 2, (6, 7)), (8, 1, (2, 4), 1, (5, 6)),
                                                       (8, 1, (3, 3), 1, (300, 5))]:
        x, weight = normal(2, channels, *size, dtype=dtype), normal(channels * multiplier, 1, *kernel, dtype=dtype)
        backward(F.conv2d(last(x), weight, normal(channels * multiplier, dtype=dtype), stride, 1, groups=channels))
    with gpunet.no_grad():
        x = last(normal(2, 16, 5, 9, dtype=dtype))
        conv.convolved("conv2d", 2, x, normal(16, 1, 3, 3, dtype=dtype), normal(16, dtype=dtype), 1, 1, 1, 16, SILU,
                       onto=x)


def norms_of_groups(dtype):
    """In channels last: whole groups and parts of them, packs of columns and not, one range of rows and several."""
    for shape, groups in [((2, 16, 3, 5), 4), ((3, 5, 4, 3), 5), ((2, 72, 7, 9), 6), ((1, 24, 40, 41), 1)]:
        channels = shape[1]
        backward(F.group_norm(last(normal(*shape, dtype=dtype)), groups, normal(channels), normal(channels)))
        backward(F.instance_norm(last(normal(*shape, dtype=dtype))))


def in_channels_last(dtype, settings):
    opened = devices.get("sim")
    cuda = CudaDevice(opened.name, opened.xp, opened.load, sm_count=4, synchronous=True)
    cuda.tf32 = True

    def ones(*shape):
        array = cuda.empty_last(shape, dtype)
        array.fill(1)
        return array

    for setting in settings:
        for features, channels, groups, size, stride in [(72, 16, 1, (4, 6), 1), (132, 3, 1, (5, 9), 2),
                                                         (16, 32, 2, (32, 40), 1)]:
            at = windows(size, (3, 2), (stride, stride), ((1, 1), (1, 0)), (1, 2))
            x, w, g = ones(2, channels, *size), ones(features, channels // groups, 3, 2), ones(2, features, *at.out)
            bias, options = cuda.xp.ones(features, dtype), dict(at=at, groups=groups)
            with mock.patch.multiple(conv_channels_launch, **setting):
                for activation in (RELU, GELU):
                    conv.conv_epilogue.op.launch(cuda, ones(*g.shape), x, w, bias, bias, bias * bias, bias, bias, g,
                                                 eps=1e-5, activation=activation, **options)
                conv.conv_input_grad.op.launch(cuda, ones(*x.shape), g, w, **options)
                conv.conv_weight_grad.op.launch(cuda, ones(*w.shape), g, x, **options)


def after_a_sum(x):
    """A layer norm of a sum that is seen, too; a residual and ReLU follow it."""
    cuda, rows = devices.get("sim"), x.shape[0]
    out, total = (cuda.empty(x.shape, x._array.dtype) for _ in range(2))
    statistics, options = [cuda.empty((rows, 1), np.float32) for _ in range(2)], dict(axes=(1,), eps=1e-5, centred=True)
    arrays = x._array, None, None
    norm_columns_launch.after_sum(cuda, (out, *statistics), arrays, options, x._array, total)
    norm_columns_launch.finished(cuda, out, arrays, options, Epilogue(onto=x._array, activation="Relu"), *statistics)


def norms(dtype):
    for rows, columns in [(1, 1), (5, 7), (9, 64), (2, 300)]:
        x, weight, bias = normal(rows, columns, dtype=dtype), normal(columns), normal(columns)
        backward(F.layer_norm(x, (columns,), weight, bias))
        backward(F.rms_norm(x, (columns,), weight))
        after_a_sum(x.detach())
    backward(F.layer_norm(normal(2, 8200, dtype=dtype), (8200,), normal(8200), normal(8200)))
    for images, channels, size in [(2, 3, 5), (3, 6, 16), (2, 300, 1)]:
        x, weight, bias = normal(images, channels, size, dtype=dtype), normal(channels), normal(channels)
        running = (gpunet.zeros(channels, device="sim"), gpunet.ones(channels, device="sim"))
        backward(F.batch_norm(x, *running, weight, bias, training=True))
        backward(F.batch_norm(x, *running, training=True))
        rectified(x, x), rectified(x, None)
        backward(F.group_norm(x, 3, weight, bias))
        backward(F.group_norm(x, 3))
        if size > 1:
            backward(F.instance_norm(x, None, None, weight, bias))


def rectified(x, around):
    """Batch norm in training, the sum with a residual and ReLU."""
    channels, vectors = x.shape[1], [gpunet.zeros, gpunet.ones]
    running = [make(channels, device="sim") for make in vectors]
    backward(batch_norm_relu(x, *running, normal(channels), normal(channels), True, 0.1, 1e-5, None, around))


def last(x):
    """In channels last."""
    return x.detach().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).requires_grad_()


def norms_of_channels(dtype):
    """In channels last: whole packs of columns and not, one range of rows and several; and rows."""
    for shape in [(2, 8, 3, 3), (3, 5, 7, 4), (2, 72, 23, 23), (9, 24), (1, 2, 60, 70)]:
        x, channels = normal(*shape, dtype=dtype), shape[1]
        x = last(x) if len(shape) == 4 else x
        running = (gpunet.zeros(channels, device="sim"), gpunet.ones(channels, device="sim"))
        backward(F.batch_norm(x, *running, normal(channels), normal(channels), training=True))
        backward(F.batch_norm(x, *running, training=True))
        rectified(x, x), rectified(x, None)
        with gpunet.no_grad():
            F.batch_norm(x, *running, normal(channels), normal(channels))


def attentions(dtype):
    for (batch, heads, shared, length, source, features, wide), masked, p in (
            ((1, 2, 1, 5, 7, 8, 16), False, 0.3), ((1, 1, 1, 70, 66, 16, 8), True, 0.0)):
        q, k, v = (normal(batch, h, n, w, dtype=dtype)
                   for h, n, w in ((heads, length, features), (shared, source, features), (shared, source, wide)))
        mask = gpunet.rand(length, source, device="sim") < 0.7 if masked else None
        backward(F.scaled_dot_product_attention(q, k, v, mask, p, not masked, enable_gqa=True))


def sequences():
    """Rows that share a block or not, and sequences that end early; weights in registers, and too large for these."""
    for cell, times, batch, hidden in [("lstm", 3, 9, 5), ("gru", 2, 3, 70), ("rnn_tanh", 1, 1, 1), ("lstm", 2, 2, 97),
                                       ("gru", 2, 2, 97)]:
        kind = CELLS[cell]
        x, state = normal(times, batch, kind.gates * hidden), normal(batch, kind.states * hidden)
        weight, bias = normal(kind.gates * hidden, hidden), normal(kind.gates * hidden)
        lengths = gpunet.arange(batch, device="sim") % (times + 1)
        for reverse, length in ((False, None), (True, lengths)):
            backward(sequence_op(x, state, weight, bias, length, cell=cell, reverse=reverse)[0])


def pools(dtype):
    for size, kernel, options in [((6, 6), 2, {}), ((7, 5), 3, dict(stride=2, padding=1)), ((9,), 2, dict(stride=3)),
                                  ((4, 5, 6), 2, dict(stride=1, padding=1))]:
        x, rank = normal(2, 3, *size, dtype=dtype), len(size)
        backward(getattr(F, f"max_pool{rank}d")(x, kernel, **options, return_indices=True)[0])
        backward(getattr(F, f"avg_pool{rank}d")(x, kernel, **options, count_include_pad=False))
    backward(F.max_pool2d(normal(1, 2, 9, 9, dtype=dtype), 3, stride=2, dilation=2))


def pools_of_channels(dtype):
    for shape, kernel, options in [((2, 8, 6, 6), 2, {}), ((1, 3, 7, 5), 3, dict(stride=2, padding=1)),
                                   ((2, 24, 5, 5), 5, {})]:
        x = last(normal(*shape, dtype=dtype))
        backward(F.max_pool2d(x, kernel, **options, return_indices=True)[0])
        backward(F.avg_pool2d(x, kernel, **options, count_include_pad=False))
        for images in (x, x.detach().contiguous().requires_grad_()):
            backward(F.adaptive_avg_pool2d(images, (4, 3)))
            backward(F.adaptive_max_pool2d(images, (4, 3)))


def scans(dtype):
    """Along memory by few lanes, a warp, a block and several, and across it; there and back."""
    for shape, dim in [((5, 7), 1), ((9, 64), 1), ((2, 4200), 1), ((17000,), 0), ((3, 40, 5), 1), ((2, 70, 33), 1),
                       ((1100, 16), 0)]:
        for function in (gpunet.cumsum, gpunet.cumprod, gpunet.logcumsumexp):
            backward(function(normal(*shape, dtype=dtype), dim))


def softmaxes(dtype):
    for shape, dim in [((5, 7), 1), ((9, 64), 1), ((2, 300), 1), ((1, 9001), 1), ((3, 17, 5), 1), ((2, 3, 40), 1)]:
        for function in (F.softmax, F.log_softmax):
            backward(function(normal(*shape, dtype=dtype), dim))


def likelihoods(dtype):
    for rows, classes in [(1, 1), (5, 7), (300, 3)]:
        target, weight = gpunet.randint(0, classes, (rows,), device="sim"), normal(classes, dtype=dtype, grad=False)
        for reduction in ("mean", "none"):
            backward(F.nll_loss(normal(rows, classes, dtype=dtype), target, weight, reduction=reduction))


def tables(dtype):
    for rows, columns, count in [(1, 1, 1), (5, 3, 40), (3, 65, 200), (20, 8, 33)]:
        index = gpunet.randint(0, rows, (count,), device="sim")
        backward(F.embedding(index, normal(rows, columns, dtype=dtype)))


def orders(dtype):
    """Rows that share a block, that fill one, and longer ones; along memory and across it."""
    for shape, dim in [((1,), 0), ((5, 7), 1), ((3, 5, 4), 1), ((2, 600), 1), ((2100,), 0), ((2, 4200), 1)]:
        x = normal(*shape, dtype=dtype)
        backward(x.sort(dim, descending=True)[0])
        backward(x.topk(min(3, shape[dim]), dim)[0])
        x.median(dim)
    gpunet.randn(70000, device="sim").topk(5)


def extremes(dtype):
    for shape, dim in [((1,), 0), ((5, 9), 1), ((3, 1100), 1), ((70, 33), 0), ((3, 4, 5), 1), ((40000,), 0)]:
        x = normal(*shape, dtype=dtype)
        x.argmin(dim)
        backward(x.max(dim)[0])
        backward(x.amin(dim))


CLASSES = [2, 10, 33, 64, 257, 1000, 1031]  # variants of the rows in registers, full and not
LONG = [33000]

SWEEPS = {
    **{f"bias_relu {d}": Sweep("bias_relu bias_relu_backward column_sum_finish", lambda d=d: bias_relu(d))
       for d in (gpunet.float32, HALF)},
    "sums": Sweep("reduce_runs reduce_columns reduce_finish best_runs best_columns", lambda: sums(gpunet.float32)),
    "column_sum": Sweep("column_sum column_sum_finish", lambda: column_sums(gpunet.float32)),
    "matmul float32": Sweep("matmul_float matmul_pair", lambda: products(gpunet.float32)),
    "matmul bfloat16": Sweep("matmul_tensor matmul_tensor_pair", lambda: products(HALF)),
    "matmul float64": Sweep("matmul_any", lambda: products(gpunet.float64)),
    "matmul tf32": Sweep("matmul_tensor", in_tf32),
    "matmul 3xTF32": Sweep("matmul_tf32x3", lambda: in_tf32("tf32x3")),
    "blocks share k": Sweep("matmul_float matmul_tensor matmul_join", long_products),
    "linear": Sweep("matmul_float matmul_pair", lambda: layers(gpunet.float32)),
    **{f"epilogues {d}": Sweep(kernels, lambda d=d: epilogues(d))
       for d, kernels in ((gpunet.float32, "matmul_float matmul_join"), (HALF, "matmul_tensor"))},
    **{f"tiles {count}": Sweep("matmul_float", lambda count=count: tiles(count)) for count in (1, 3, 1000)},
    "wide tile": Sweep("matmul_float", lambda: tiles(1, "float32", 90, [((131, 260, 516), True, False)])),
    "tensor tiles": Sweep("matmul_tensor", lambda: tiles(1, "float16")),
    **{f"Hopper {n} {'NT'[ta]}{'NT'[tb]}": Sweep("matmul_hopper", lambda a=(n, ta, tb): on_hopper(*a))
       for n, ta, tb in [(256, False, True), (256, True, False), (128, False, False), (128, True, True)]},
    **{f"Hopper 128 N{'NT'[tb]} tf32": Sweep("matmul_hopper", lambda tb=tb: on_hopper(128, False, tb, np.dtype("f4")))
       for tb in (False, True)},
    **{f"cross_entropy {n}": Sweep("softmax_ce", lambda n=n: cross_entropy(gpunet.float32, n)) for n in CLASSES},
    "cross_entropy bfloat16": Sweep("softmax_ce", lambda: cross_entropy(HALF, 100)),
    "cross_entropy of many": Sweep("count_valid", lambda: backward(F.cross_entropy(
        normal(1030, 3), gpunet.randint(0, 3, (1030,), device="sim")))),
    **{f"cross_entropy {n}": Sweep("softmax_ce_long scaled_sum",
                                   lambda n=n: cross_entropy(gpunet.float32, n)) for n in LONG},
    "attention": Sweep("attention attention_by_query attention_by_key", lambda: attentions(gpunet.float32)),
    "attention bfloat16": Sweep("attention_tensor attention_tensor_by_query attention_tensor_by_key",
                                lambda: attentions(HALF)),
    **{f"scans {d}": Sweep("scan_rows scan_columns", lambda d=d: scans(d)) for d in (gpunet.float32, HALF)},
    "softmax": Sweep("softmax_rows softmax_rows_grad softmax_long softmax_long_grad softmax_columns "
                     "softmax_columns_grad", lambda: softmaxes(gpunet.float32)),
    **{f"optim {d}": Sweep("update prepare prepare_each", lambda d=d: optimizers(d)) for d in (gpunet.float32, HALF)},
    **{f"gradients {d}": Sweep("norm_pieces norm_finish clip_pieces scale_pieces unscale_pieces move_loss_scale",
                               lambda d=d: gradients(d)) for d in (gpunet.float32, HALF)},
    "formulas": Sweep("formula", numbered),
    "element-wise": Sweep("unary binary binary_spread compare where where_spread clamp clamp_grad cast arange "
                          "copy_strided unary_strided binary_strided compare_strided where_strided cast_strided "
                          "join",
                          lambda: element_wise(gpunet.float32)),
    **{f"conv {d}": Sweep(f"{kernels} depthwise depthwise_input depthwise_weight running_norm",
                           lambda d=d: convolutions(d))
       for d, kernels in ((gpunet.float32, "conv_gather conv_weight"), (HALF, "conv_tensor conv_tensor_weight"))},
    **{f"conv tiles {d}": Sweep("conv_tensor conv_tensor_weight", lambda d=d: tensor_convolutions(d))
       for d in (HALF_NP, np.dtype("float32"))},
    **{f"conv in channels last {d}": Sweep("conv_channels conv_channels_weight join copy_strided",
                                           lambda d=d: convolutions_in_channels_last(d))
       for d in (HALF_NP, np.dtype("float32"))},
    **{f"conv by multiply-adds {d}": Sweep("conv_channels_any conv_channels_any_weight",
                                           lambda d=d: convolutions_by_multiply_adds(d))
       for d in (HALF_NP, np.dtype("float32"))},
    **{f"depthwise in channels last {d}": Sweep(
        "depthwise_channels depthwise_channels_input depthwise_channels_weight",
        lambda d=d: depthwise_in_channels_last(d)) for d in (gpunet.float32, HALF)},
    **{f"norm {d}": Sweep("normalize_rows normalize_rows_grad normalize_rows_finish normalize_groups "
                          "normalize_long_grad normalize_columns_sums "
                          "normalize_run_sums normalize_groups_grad normalize_channels_grad move_statistics",
                          lambda d=d: norms(d))
       for d in (gpunet.float32, HALF)},
    **{f"norm in channels last {d}": Sweep("columns_moments normalize_columns columns_sums normalize_columns_grad "
                                           "running_norm_rows", lambda d=d: norms_of_channels(d))
       for d in (gpunet.float32, HALF)},
    **{f"norm of groups in channels last {d}": Sweep(
        "groups_moments normalize_column_groups groups_sums normalize_column_groups_grad",
        lambda d=d: norms_of_groups(d)) for d in (gpunet.float32, HALF)},
    **{f"pool {d}": Sweep("max_pool max_pool_grad avg_pool avg_pool_grad", lambda d=d: pools(d))
       for d in (gpunet.float32, HALF)},
    **{f"pool in channels last {d}": Sweep("max_pool_channels max_pool_channels_grad avg_pool_channels "
                                           "avg_pool_channels_grad adaptive_avg_pool adaptive_avg_pool_grad "
                                           "adaptive_max_pool adaptive_max_pool_grad",
                                           lambda d=d: pools_of_channels(d))
       for d in (gpunet.float32, HALF)},
    "recurrent": Sweep("sequence_forward sequence_backward sequence_step sequence_step_grad", sequences),
    **{f"rows of tables {d}": Sweep("take_rows sum_few_rows", lambda d=d: tables(d)) for d in (gpunet.float32, HALF)},
    "nll": Sweep("nll_rows nll_total nll_grad", lambda: likelihoods(gpunet.float32)),
    "random": Sweep("random_bits uniform normal dropout dropout_add dropout_backward",
                    lambda: random_numbers(gpunet.float32)),
    **{f"orders {d}": Sweep("sort_rows select_rows radix_counts radix_starts radix_place take_along put_along",
                            lambda d=d: orders(d)) for d in (gpunet.float32, gpunet.float64)},
    **{f"extremes {d}": Sweep("best_runs best_columns best_finish", lambda d=d: extremes(d))
       for d in (gpunet.float32, HALF)},
    "scatter": Sweep("check_index reduce_pieces join_pieces store_last",
                             lambda: scatters(gpunet.float32)),
}


QUICK = {"column_sum", "nll", "random"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
                                  for name in SWEEPS])
def test_nothing_is_found(name, monkeypatch):
    launched, check = set(), checking.check

    def noted(kernel, *args, **more):
        launched.add(kernel.name.partition("<")[0])
        return check(kernel, *args, **more)

    monkeypatch.setattr(checking, "check", noted)
    with sim.checked() as findings:
        SWEEPS[name].run()
    assert not findings, "\n".join(map(str, findings))
    assert launched >= set(SWEEPS[name].kernels.split())


def test_every_kernel_is_in_the_sweep():
    for module in pkgutil.iter_modules(gpunet.ops.__path__, "gpunet.ops."):
        import_module(module.name)
    declared = {kernel.name for kernel in Kernel.ours}
    # Are not simulated in C++; tests/ptx runs them.
    clusters = {"matmul_hopper_pair", "softmax_ce_cluster", "softmax_cluster", "softmax_cluster_grad"}
    assert declared - clusters == {name for sweep in SWEEPS.values() for name in sweep.kernels.split()}
