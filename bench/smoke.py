"""Does gpunet work on this device? One case of each kernel, layout and type, layers whole, and a compiled step.

Each check computes on the device what the CPU computes in float64 from the same inputs, in a second or less once the
kernels are compiled; on a GPU they are all compiled first, several at once. What is wrong is said and the run goes on,
until an error of the device itself: that does not go away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from time import monotonic

import numpy as np

import gpunet
import gpunet.nn.functional as F
from bench.checks import RIGHT, Check, Wrong, against_float64, distance, host, near_cpu, same_as_cpu
from gpunet import nn, optim
from gpunet.ops import conv
from gpunet.ops.dropout import dropout_added
from gpunet.ops.epilogue import GELU, RELU, SILU
from gpunet.ops.linear_epilogue import linear_with
from gpunet.ops.norm_relu import batch_norm_relu


def products(dtype: str, sizes: list[tuple[int, int, int]]) -> Iterator[tuple[str, Check]]:
    """All layouts: whether the operands are transposed views."""
    for m, n, k in sizes:
        for layout in ("NN", "NT", "TN", "TT"):
            def product(a, b, layout=layout):
                return gpunet.matmul(a.t() if layout[0] == "T" else a, b.t() if layout[1] == "T" else b)

            shapes = {"a": (k, m) if layout[0] == "T" else (m, k), "b": (n, k) if layout[1] == "T" else (k, n)}
            yield f"matmul {m}x{n}x{k} {layout} {dtype}", against_float64(product, shapes, dtype, gradient=False)


def by_wgmma(tile_n: int, blocks: int, layout: str, dtype: str, parts: int = 1) -> Check:
    """matmul_hopper.cu, and by clusters of two blocks matmul_hopper_pair.cu, whatever the launch code would choose: a
    ring that is filled more than once, edges, the whole epilogue; parts of k that blocks share. float32 is TF32."""
    m, n, k = 200, 328, 584
    bound = RIGHT["float16" if dtype == "float32" else dtype]

    def check(device):
        from gpunet.ops.matmul_hopper import launch_hopper, turned
        from gpunet.ops.matmul_launch import Product, operand

        cuda, rng = gpunet.devices.get(device), np.random.default_rng(0)
        shapes = ((k, m) if layout[0] == "T" else (m, k)), ((n, k) if layout[1] == "T" else (k, n)), (n,), (m, n)
        tensors = [gpunet.tensor(rng.standard_normal(shape)).to(getattr(gpunet, dtype)) for shape in shapes]
        a, b, bias, onto = (host(tensor.double()) for tensor in tensors)
        found, kept = (gpunet.empty(m, n, dtype=tensors[0].dtype, device=device) for _ in range(2))
        left, right, *others = (tensor.to(device)._array for tensor in tensors)
        left, right = operand(cuda, left, layout[0] == "T"), operand(cuda, right, layout[1] == "T")
        product = Product(found._array, left, right, m, n, k, bias=others[0], onto=others[1], activation=SILU,
                          kept=kept._array)
        launch_hopper(cuda, turned(product) if (dtype, layout) == ("float32", "NN") else product, tile_n, blocks, parts)
        exact = (a.T if layout[0] == "T" else a) @ (b.T if layout[1] == "T" else b) + bias + onto
        return distance([host(kept.float()), host(found.float())],
                        [exact, host(F.silu(gpunet.tensor(exact)))]), bound

    return check


def _in_tf32(exact: Check, precision: str = "high", right: str = "float16") -> Check:
    """Operands with 10 bits of fraction: held against the bound of float16, which has as many."""

    def check(device):
        before = gpunet.get_float32_matmul_precision()
        gpunet.set_float32_matmul_precision(precision)
        try:
            return exact(device)[0], RIGHT[right]
        finally:
            gpunet.set_float32_matmul_precision(before)

    return check


def cross_entropy(rows: int, classes: int, dtype: str) -> Check:
    target = np.random.default_rng(1).integers(0, classes, rows)
    reduction = "sum" if dtype == "float16" else "mean"  # a mean's gradients are subnormal float16 numbers
    return against_float64(
        lambda logits: F.cross_entropy(logits, gpunet.tensor(target, device=logits.device), reduction=reduction),
        {"logits": (rows, classes)}, dtype)


def recurrent(cell: str, hidden: int) -> Check:
    """A layer over 7 steps of 5 sequences, with all its gradients."""
    from gpunet.ops.recurrent import CELLS, sequence

    gates, states = CELLS[cell].gates * hidden, CELLS[cell].states * hidden
    shapes = {"x": (7, 5, 16), "state": (5, states), "ih": (gates, 16), "hh": (gates, hidden), "b": (gates,)}

    def layer(x, state, ih, hh, b):
        return sequence(x, state, ih, hh / math.sqrt(hidden), b, b, cell=cell)[0]

    return against_float64(layer, shapes, "float32")


def update(make: Callable, dtype: str) -> Check:
    """Three steps of an optimizer."""
    def results(device, of):
        rng = np.random.default_rng(0)
        weight = nn.Parameter(gpunet.tensor(rng.standard_normal(1003), device=device).to(of))
        optimizer = make([weight])
        for _ in range(3):
            weight.grad = gpunet.tensor(rng.standard_normal(1003), device=device).to(of)
            optimizer.step()
        return [host(weight)]

    return lambda device: (distance(results(device, getattr(gpunet, dtype)), results("cpu", gpunet.float64)),
                           3 * RIGHT[dtype])


def steps(make: Callable, shape: tuple, classes: int, compiled: bool) -> Callable[[str], list[float]]:
    """The losses of six training steps."""
    def losses(device):
        gpunet.manual_seed(0)
        model = make().to(device)
        optimizer = optim.Adam(model.parameters(), lr=1e-3)
        rng = np.random.default_rng(0)
        x = gpunet.tensor(rng.standard_normal(shape).astype(np.float32), device=device)
        y = gpunet.tensor(rng.integers(0, classes, shape[0]), device=device)

        def step():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = gpunet.compile(step) if compiled else step
        return [step().item() for _ in range(6)]

    return losses


def compiled_step(make: Callable, shape: tuple, classes: int = 10) -> Check:
    """A compiled step gives the losses of the eager one, bit for bit; and these are the CPU's but for rounding."""
    def check(device):
        eager = steps(make, shape, classes, False)(device)
        replayed = steps(make, shape, classes, True)(device)
        if eager != replayed:
            raise Wrong(f"the losses of compiled steps are {replayed}, of eager ones {eager}")
        host = steps(make, shape, classes, False)("cpu")
        return max(abs(a - b) / abs(b) for a, b in zip(eager, host, strict=True)), 1e-4

    return check


def _chosen(x, y):
    """Comparisons and choices, of arrays of one shape and of others, copies that turn them, and numbers in order."""
    row, numbers = y[:1], gpunet.arange(x.shape[1], dtype=x.dtype, device=x.device)
    return gpunet.where(x > y, x, y) + gpunet.where(x > 0, x, row + numbers) + (x * 2).t().contiguous().t()


def _of_integers(device):
    """Arithmetic, logic and bits of integers and bools, of one shape, broadcast and strided; casts."""
    x = gpunet.tensor(np.arange(-60, 60).reshape(10, 12), device=device)
    y = x.flip(0) * 3 + 1
    found = [x * y - 5, x // y, x % 7, x & y, x | 12, x ^ y, ~x, x << 2, y >> 1, gpunet.maximum(x, y), -x, x.abs()]
    for a, b in ((x, y), (x.t(), y.t()), (x[:, ::2], y[:1, ::2])):
        found += [a <= b, (a > 3) & (b < 5), gpunet.logical_or(a, b), a + b, gpunet.where(a < b, a, b)]
    found += [each.to(to) for each in (x, x[:, 1::3]) for to in (gpunet.int32, gpunet.bool, gpunet.float16)]
    return [*found, gpunet.isnan(found[-1] / 0), ~(x > 0)]


def _rotated(x, angle):
    """Halves and every second element, used where they lie."""
    half = x.shape[-1] // 2
    even, odd, cos, sin = x[..., ::2], x[..., 1::2], angle.cos()[:, :half], angle.sin()[:, :half]
    return even * cos - odd * sin, F.silu(x[..., :half]) * x[..., half:], x.t().to(gpunet.float64)


def _clipped(device: str) -> list:
    """Gradients scaled and unscaled, and their norm held down."""
    rng = np.random.default_rng(0)
    weights = [nn.Parameter(gpunet.zeros(*shape, device=device)) for shape in ((5, 7), (4099,), (3,))]
    scaler, optimizer = gpunet.amp.GradScaler(device, init_scale=4.0), optim.SGD(weights, lr=1.0)
    scaler.scale(gpunet.ones((), device=device))
    for weight in weights:
        weight.grad = gpunet.tensor(rng.standard_normal(tuple(weight.shape)), dtype=gpunet.float32, device=device)
    scaler.unscale_(optimizer)
    norms = [nn.utils.clip_grad_norm_(weights, 0.5)]
    norms.append(nn.utils.get_total_norm([weight.grad for weight in weights]))
    nn.utils.clip_grads_with_norm_(weights, 0.1, norms[-1])
    scaler.step(optimizer)
    scaler.update()
    return [*norms, *weights]


def same_when_recorded(dtype: str) -> Check:
    """A layer, and a residual block in evaluation, whose kernels take in what follows: the bits of the eager step."""

    def check(device):
        rng = np.random.default_rng(0)
        x, image, weight, filters, *vectors = (
            gpunet.tensor(rng.uniform(0.5, 1.5, each), device=device).to(getattr(gpunet, dtype))
            for each in ((33, 40), (2, 8, 9, 8), (40, 40), (8, 8, 3, 3), 8, 8, 8, 8))

        @gpunet.no_grad()
        def step():
            y = x + F.linear(F.gelu(F.linear(x, weight - 1)), weight - 1)
            z = (F.batch_norm(F.conv2d(image, filters, padding=1), *vectors) + image).relu()
            total = x + weight[:33]
            return y, z, F.layer_norm(total, (40,), weight[0]), total * 2, (
                F.batch_norm(image, None, None, *vectors[2:], training=True) + z).relu()

        compiled, first = gpunet.compile(step), step()
        for _ in range(3):
            again = compiled()
        return float(not all([bool((one == other).all()) for one, other in zip(first, again, strict=True)])), 0.0

    return check


def _mlp():
    return nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, 10))


def _convolutional():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(36, 10))


def _in_channels_last(dtype: str, images: int, channels: int, size: int, kernel: int = 3, stride: int = 1,
                      groups: int = 1, features: int = 72) -> Check:
    return against_float64(
        lambda x, w, b: F.conv2d(x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), b, stride, kernel // 2, 1, groups),
        {"x": (images, size, size, channels), "w": (features, kernel, kernel, channels // groups), "b": (features,)},
        dtype)


def _convolution(dtype: str, images: int, channels: int, size: int) -> Check:
    """Rows of the weight, and planes, of whole chunks of 16 bytes."""
    return against_float64(lambda x, w, b: F.conv2d(x, w, b, padding=1),
                           {"x": (images, channels, size, size), "w": (72, channels, 3, 3), "b": (72,)}, dtype)


def _norm_of_channels(x, w, b):
    """x is [N, H, W, C]. By running statistics if it needs no gradients, else by the batch's."""
    running = [make(len(w), device=x.device).to(x.dtype) for make in (gpunet.zeros, gpunet.ones)]
    return F.batch_norm(x.permute(0, 3, 1, 2), *running, w, b, training=x.requires_grad)


def _rectified(x, around, w, b):
    """What ends a residual block in training; all is [N, H, W, C], in planes and in channels last."""
    running = [make(len(w), device=x.device, dtype=gpunet.float64 if x.dtype == gpunet.float64 else gpunet.float32)
               for make in (gpunet.zeros, gpunet.ones)]
    images = [each.permute(0, 3, 1, 2) for each in (x, around)]
    return [batch_norm_relu(one, *running, w, b, True, 0.1, 1e-5, None, other)
            for one, other in (images, [each.contiguous() for each in images], [images[0], None])]


def _heads(x, w):
    """Attention by plain operations, on heads that one projection gives: read and written where they lie."""
    q, k, v = (F.linear(x, w) / 10).view(2, 20, 3, 16).transpose(1, 2).split([6, 6, 4], -1)
    return ((q @ k.transpose(2, 3)).softmax(-1) @ v).transpose(1, 2).reshape(2, 20, 12)


def checks(large: bool, quick: bool, clusters: int = 0) -> Iterator[tuple[str, Check]]:
    """By name, what is missed most first. large: sizes that fill a GPU, so that every tile is chosen.
    clusters: the most blocks of a cluster that the device runs; 0: it is not of compute capability 9.0."""
    shape = (257, 96)
    yield from products("float32", [(64, 64, 64)])
    yield "cross-entropy 64x1000 float32", cross_entropy(64, 1000, "float32")
    yield "Adam float32", update(lambda weights: optim.Adam(weights, lr=1e-2), "float32")
    yield "conv2d float32", against_float64(lambda x, w, b: F.conv2d(x, w, b, padding=1),
                                            {"x": (2, 3, 12, 12), "w": (4, 3, 3, 3), "b": (4,)}, "float32")
    ways = [way for way in ((256, 1), (128, 1), (256, 2)) if way[1] <= clusters]
    for tile_n, blocks in ways[1:2] if quick else ways:
        for layout in ("NT",) if quick else ("NT", "NN", "TN", "TT"):
            for dtype in ("bfloat16",) if quick else ("bfloat16", "float16"):
                yield (f"matmul by wgmma, tile {128 * blocks}x{tile_n} {layout} {dtype}",
                       by_wgmma(tile_n, blocks, layout, dtype))
        for layout in ("NT", "NN"):
            yield (f"matmul by wgmma, tile {128 * blocks}x{tile_n} {layout} tf32",
                   by_wgmma(tile_n, blocks, layout, "float32"))
        yield (f"matmul by wgmma, tile {128 * blocks}x{tile_n}, k in parts, bfloat16",
               by_wgmma(tile_n, blocks, "TN", "bfloat16", 4))
    yield "compiled MLP step", compiled_step(_mlp, (32, 64))
    yield "random numbers", same_as_cpu(_drawn)
    yield "integers", same_as_cpu(_integers)
    yield "arithmetic of integers", same_as_cpu(_of_integers)
    yield "matmul 96x136x200 tf32", _in_tf32(
        against_float64(gpunet.matmul, {"input": (96, 200), "other": (200, 136)}, "float32", gradient=False))
    yield "matmul 96x136x200 3xTF32", _in_tf32(
        against_float64(gpunet.matmul, {"input": (96, 200), "other": (200, 136)}, "float32", gradient=False), "tf32x3",
        "float32")
    yield "conv2d 1x1 bfloat16", against_float64(
        lambda x, w: F.conv2d(x, w), {"x": (3, 40, 16, 16), "w": (72, 40, 1, 1)}, "bfloat16")
    yield "conv2d tf32", _in_tf32(_convolution("float32", 1, 24, 16))
    yield "conv2d in channels last tf32", _in_tf32(_in_channels_last("float32", 2, 24, 16))
    yield "matmul 64x48x8192 float32", against_float64(gpunet.matmul, {"input": (64, 8192), "other": (8192, 48)},
                                                       "float32", gradient=False)
    for dtype in ("float32", "bfloat16") if quick else ("float32", "bfloat16", "float16", "float64"):
        yield f"linear {dtype}", against_float64(F.linear, {"input": shape, "weight": (40, 96), "bias": (40,)}, dtype)
        yield f"linear, ReLU fused {dtype}", against_float64(
            lambda x, w, b: gpunet.ops.linear.linear_relu(x, w, b), {"x": shape, "w": (40, 96), "b": (40,)}, dtype)
        yield f"linear, residual and GELU fused {dtype}", against_float64(
            lambda x, w, b, y: linear_with(x, w, b, GELU, y),
            {"x": shape, "w": (40, 96), "b": (40,), "y": (*shape[:-1], 40)}, dtype)
        yield f"joined in a recording {dtype}", same_when_recorded(dtype)
        yield f"bias and ReLU {dtype}", against_float64(
            lambda x, b: gpunet.ops.linear.bias_relu(x, b), {"x": shape, "b": (96,)}, dtype)
        yield f"column sums {dtype}", against_float64(
            lambda x_: gpunet.ops.linear.column_sum(x_), {"x_": (1000, 97)}, dtype)
        yield f"sums and means {dtype}", against_float64(
            lambda x: (x.sum((0, 2)), x.mean(1), x.sum(2), x.mean(), gpunet.linalg.vector_norm(x, 2, 1),
                       gpunet.linalg.vector_norm(x, 1)), {"x": (33, 9, 64)}, dtype)
        yield f"heads {dtype}", against_float64(_heads, {"x": (2, 20, 48), "w": (48, 48)}, dtype)
        yield f"activations with numbers {dtype}", against_float64(
            lambda x: F.leaky_relu(x, 0.1) + F.elu(x) + F.softplus(x) * F.mish(x) + F.hardshrink(x, 0.3) + x**3,
            {"x": shape}, dtype)
        yield f"hard activations {dtype}", against_float64(lambda x: F.hardswish(x) + F.relu6(x) * F.hardsigmoid(x),
                                                           {"x": shape}, dtype)
        yield f"dropout {dtype}", against_float64(_dropped, {"x": shape}, dtype)
        yield f"dropout added {dtype}", against_float64(_dropped_and_added, {"x": shape, "y": shape}, dtype)
        yield f"embedding {dtype}", against_float64(
            lambda w: F.embedding(gpunet.tensor(np.arange(200) % 37, device=w.device), w), {"w": (50, 24)}, dtype)
        yield f"log-likelihood {dtype}", against_float64(
            lambda x: F.nll_loss(x, gpunet.tensor(np.arange(200) % 37, device=x.device)), {"x": (200, 37)}, dtype)
        yield f"scatter {dtype}", against_float64(_scattered, {"x": (40, 24), "rows": (90, 24)}, dtype)
        yield f"gelu {dtype}", against_float64(F.gelu, {"input": (33, 70)}, dtype)
        yield f"cat {dtype}", against_float64(lambda a, b: gpunet.cat([a, b], 1), {"a": (33, 7), "b": (33, 20)}, dtype)
        yield f"SGD {dtype}", update(lambda weights: optim.SGD(weights, lr=1e-2, momentum=0.9), dtype)
        if dtype != "float32":
            yield from products(dtype, [(64, 64, 64)])
            yield f"cross-entropy 64x1000 {dtype}", cross_entropy(64, 1000, dtype)
            yield f"Adam {dtype}", update(lambda weights: optim.Adam(weights, lr=1e-2), dtype)
    for dtype in ("float32",) if quick else ("float32", "bfloat16"):
        if dtype != "float32":
            yield f"conv2d {dtype}", against_float64(lambda x, w: F.conv2d(x, w, stride=2),
                                                     {"x": (2, 3, 12, 12), "w": (4, 3, 3, 3)}, dtype)
            yield f"conv2d in whole chunks {dtype}", _convolution(dtype, 1, 24, 16)
        for channels, kernel, stride in ((24, 3, 1), (64, 3, 2), (3, 5, 2), (20, 1, 1)):
            yield (f"conv2d {kernel}x{kernel} of {channels} in channels last, stride {stride} {dtype}",
                   _in_channels_last(dtype, 2, channels, 16, kernel, stride))
        yield f"conv2d of groups in channels last {dtype}", _in_channels_last(dtype, 2, 12, 16, groups=3)
        yield f"convolution, norm and ReLU in one {dtype}", against_float64(_folded, {"x_": (2, 3, 12, 12)}, dtype)
        yield f"convolution and ReLU in one {dtype}", against_float64(
            lambda x, w, b: conv.convolved("conv2d", 2, x, w, b, 1, 1, 1, 1, RELU),
            {"x": (2, 3, 12, 12), "w": (4, 3, 3, 3), "b": (4,)}, dtype)
        for kernel, stride in ((3, 1), (5, 2), (7, 1)):
            yield f"depthwise {kernel}x{kernel} {dtype}", against_float64(
                lambda x, w, b, stride=stride: F.conv2d(x, w, b, stride, 2, groups=6),
                {"x": (3, 6, 12, 13), "w": (6, 1, kernel, kernel), "b": (6,)}, dtype)
            for channels in (16, 6):
                yield f"depthwise {kernel}x{kernel} of {channels} in channels last {dtype}", _in_channels_last(
                    dtype, 2, channels, 13, kernel, stride, channels, channels)
        yield f"depthwise in channels last, two filters a channel {dtype}", _in_channels_last(
            dtype, 2, 6, 13, 3, 2, 6, 12)
        yield f"max pool {dtype}", against_float64(lambda x: F.max_pool2d(x, 2), {"x": (2, 3, 12, 12)}, dtype)
        yield f"max pool, overlapping {dtype}", against_float64(
            lambda x: F.max_pool2d(x, 3, 2, 1), {"x": (2, 3, 13, 12)}, dtype)
        yield f"average pool {dtype}", against_float64(
            lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), {"x": (2, 3, 13, 12)}, dtype)
        for channels in (16, 3):
            yield f"pools in channels last {channels} {dtype}", against_float64(
                lambda x: [pool(x.permute(0, 3, 1, 2), 3, 2, 1).permute(0, 2, 3, 1)  # and so its gradient
                           for pool in (F.max_pool2d, F.avg_pool2d)],
                {"x": (2, 13, 12, channels)}, dtype)
            yield f"adaptive pool {channels} {dtype}", against_float64(
                lambda x: [pool(each, (5, 7)) for each in (x, x.permute(0, 3, 1, 2))
                           for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)],
                {"x": (2, 13, 12, channels)}, dtype)
        yield f"layer norm {dtype}", against_float64(
            lambda x, w, b: F.layer_norm(x, (96,), w, b), {"x": shape, "w": (96,), "b": (96,)}, dtype)
        for channels in (16, 5):
            for x, w, b in (("x", "w", "b"), ("x_", "w_", "b_")):
                yield f"batch norm in channels last {x}{channels} {dtype}", against_float64(
                    lambda **named: _norm_of_channels(*named.values()),
                    {x: (4, 23, 17, channels), w: (channels,), b: (channels,)}, dtype)
            yield f"batch norm, residual and ReLU {channels} {dtype}", against_float64(
                _rectified, {**dict.fromkeys(("x", "around"), (4, 23, 17, channels)), "w": (channels,),
                             "b": (channels,)}, dtype)
        for channels, groups in ((72, 6), (6, 2), (16, 16)):
            yield f"group norm {channels} by {groups} in channels last {dtype}", against_float64(
                lambda x, w, b, groups=groups: F.group_norm(x.permute(0, 3, 1, 2), groups, w, b).permute(0, 2, 3, 1),
                {"x": (3, 23, 17, channels), "w": (channels,), "b": (channels,)}, dtype)
        yield f"group norm {dtype}", against_float64(
            lambda x, w, b: F.group_norm(x, 2, w, b), {"x": (3, 6, 5, 4), "w": (6,), "b": (6,)}, dtype)
        yield f"log_softmax across memory {dtype}", against_float64(lambda x: F.log_softmax(x, 1), {"x": (3, 50, 40)},
                                                                    dtype)
        yield f"softmax {dtype}", against_float64(lambda x: F.softmax(x, 1), {"x": shape}, dtype)
        for size in ((40, 10), (9, 104), (5, 70, 33)):
            yield f"scans of {'x'.join(map(str, size))} {dtype}", against_float64(
                lambda x: (x.cumsum(1) / 8, (1 + x / 9999).cumprod(1), x.logcumsumexp(1)), {"x": size}, dtype)
        yield f"cumulative sums of 2x4400 {dtype}", against_float64(lambda x: (0.1 + x).cumsum(1), {"x": (2, 4400)},
                                                                    dtype)
        yield f"GELU {dtype}", against_float64(lambda x: F.gelu(x), {"x": shape}, dtype)
        yield f"attention {dtype}", against_float64(
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
            {"q": (2, 3, 20, 16), "k": (2, 3, 20, 16), "v": (2, 3, 20, 16)}, dtype)
        yield f"comparisons and choices {dtype}", against_float64(_chosen, {"x": shape, "y": shape}, dtype)
        yield f"layer norm of 8200 {dtype}", against_float64(
            lambda x, w: F.layer_norm(x, (8200,), w), {"x": (3, 8200), "w": (8200,)}, dtype)
        yield f"batch norm without weights {dtype}", against_float64(
            lambda x: F.batch_norm(x, *(make(5, device=x.device) for make in (gpunet.zeros, gpunet.ones)),
                                   training=True), {"x": (4, 5, 6)}, dtype)
        yield f"log-likelihood of many {dtype}", against_float64(
            lambda x: F.nll_loss(x, gpunet.tensor(np.arange(700) % 3, device=x.device), reduction="none"),
            {"x": (700, 3)}, dtype)
        yield f"strided operands {dtype}", against_float64(_rotated, {"x": shape, "angle": shape}, dtype)
        yield f"orders and extremes {dtype}", same_as_cpu(lambda device, dtype=dtype: _ordered(device, dtype))
    yield "softmax 2x33000 float32", against_float64(lambda x: F.softmax(x, 1), {"x": (2, 33000)}, "float32")
    yield "attention bfloat16", against_float64(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
        {"q": (2, 3, 20, 16), "k": (2, 3, 20, 16), "v": (2, 3, 20, 16)}, "bfloat16")
    yield "matmul 33x20x17 float64", against_float64(gpunet.matmul, {"input": (33, 17), "other": (17, 20)}, "float64",
                                                     gradient=False)
    yield "products over a dimension float32", against_float64(lambda x: (1 + x / 64).prod(1), {"x": (9, 40)},
                                                               "float32")
    yield "cross-entropy 1030x3 float32", cross_entropy(1030, 3, "float32")
    yield "NAdam float32", update(lambda weights: optim.NAdam(weights, lr=1e-2), "float32")
    yield "gradients scaled and clipped", near_cpu(_clipped)
    layers = ("lstm", 24), ("gru", 200), ("gru", 96), ("lstm", 96), ("rnn_tanh", 60), ("rnn_relu", 96), ("lstm", 200)
    for cell, hidden in layers[:2] if quick else layers:
        yield f"{cell} of {hidden} float32", recurrent(cell, hidden)
    yield "compiled convolutional step", compiled_step(_convolutional, (16, 1, 8, 8))
    for classes in (10, 40000) if quick else (10, 200, 5000, 40000):
        yield f"cross-entropy 8x{classes} float32", cross_entropy(8, classes, "float32")
    yield from products("float32", [(33, 65, 17)])
    if large:
        for dtype in ("float32", "bfloat16"):
            for features in (64, 128, 256):
                yield f"attention 2x4x500x{features} causal {dtype}", against_float64(
                    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
                    dict.fromkeys("qkv", (2, 4, 500, features)), dtype)
        for dtype in ("bfloat16", "float16"):
            for images, channels in ((8, 72), (2, 40)):  # by large tiles, and by small ones
                yield f"conv2d of {images} images {dtype}", _convolution(dtype, images, channels, 64)
                yield (f"conv2d of {images} images in channels last {dtype}",
                       _in_channels_last(dtype, images, channels, 64))
        # By a block a row, and by clusters where there are some.
        for classes, dtype in ((40_000, "bfloat16"), (100_001, "float32"), (200_000, "float32"), (300_000, "bfloat16")):
            yield f"cross-entropy 5x{classes} {dtype}", cross_entropy(5, classes, dtype)
            for function in (F.softmax, F.log_softmax):
                yield f"{function.__name__} 5x{classes} {dtype}", against_float64(
                    lambda x, function=function: function(x, 1), {"x": (5, classes)}, dtype)
        for dtype, sizes in (("float32", [(1024, 1024, 96), (2048, 2048, 64), (2049, 2047, 65), (4096, 4096, 520)]),
                             ("bfloat16", [(1024, 1024, 96), (1024, 1024, 4096), (2048, 2304, 520), (4096, 4096, 1024),
                                           (64, 64, 16384)])):
            yield from products(dtype, sizes)


def _drawn(device):
    generator = gpunet.Generator(device).manual_seed(3)
    found = [draw(1001, dtype=dtype, device=device, generator=generator)
             for draw in (gpunet.rand, gpunet.randn) for dtype in (gpunet.float32, gpunet.float64)]
    return [*found, gpunet.randint(0, 1000, (501,), device=device, generator=generator)]


def _integers(device):
    """Sorting, reducing and storing at places, exact."""
    index = gpunet.tensor(np.arange(300) * 7 % 50, device=device)
    ones = gpunet.ones(300, dtype=gpunet.int64, device=device)
    counts = gpunet.zeros(50, dtype=gpunet.int64, device=device).index_add(0, index, ones)
    large = index.reshape(20, 15) > 20
    return [counts, counts.index_copy(0, index[:40], index[:40]), counts[index], index.sum(), large.sum(0),
            large.any(1), large.all()]


def _ordered(device, dtype):
    """Orders of short and long rows, the first of them, medians and extremes, of values that repeat, and gradients."""
    found = []
    for shape, dim in (((9, 40, 3), 1), ((5, 1000), 1), ((2, 5000), 1), ((200000,), 0)):
        values = np.random.default_rng(0).integers(-500, 500, shape) / 4
        x = gpunet.tensor(values, dtype=getattr(gpunet, dtype), device=device).requires_grad_()
        top, middle = x.topk(3, dim), x.median(dim)
        (top.values.sum() + middle.values.sum() + x.amax(dim).sum()).backward()
        found += [x.argsort(dim, descending=True), *top, *middle, x.argmin(dim), x.argmax(), *x.max(dim), x.grad]
    return [each.detach().float() if each.is_floating_point() else each for each in found]


def _scattered(x, rows):
    """What is stored at places, and what is reduced there."""
    index = gpunet.tensor(np.arange(30), device=x.device)
    twice = gpunet.tensor(np.arange(90) % 40, device=x.device)
    return x.index_copy(0, index, rows[:30]), x.index_add(0, twice, rows)


def _folded(x_):
    """Of a convolution, and of one with a filter for each channel, in evaluation."""
    rng, y = np.random.default_rng(0), x_
    with gpunet.no_grad():
        for shape, groups in (((6, 3, 3, 3), 1), ((6, 1, 3, 3), 6)):
            w, *vectors = (gpunet.tensor(rng.uniform(0.5, 1.5, each), device=x_.device).to(x_.dtype)
                           for each in (shape, 6, 6, 6, 6))
            y = conv.convolved("conv2d", 2, y, w / 9, vectors[0], 1, 1, 1, groups, SILU, tuple(vectors), 1e-5,
                               y if groups > 1 else None)
    return y


def _dropped(x):
    gpunet.manual_seed(5)
    return F.dropout(x, 0.3)


def _dropped_and_added(x, y):
    gpunet.manual_seed(5)
    return dropout_added(x, y, 0.3, True)


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    device = gpunet.devices.get(options.device)
    if device.type == "cuda":
        _compile_ahead(device, options, emit)
    todo = list(checks(device.type == "cuda" and not options.quick, options.quick,
                       1 if device.type == "sim" else 2 if getattr(device, "capability", None) == 90 else 0))
    failed = []
    for number, (name, check) in enumerate(todo):
        if options.left() < 3:
            raise TimeoutError(f"out of time: {len(todo) - number} of {len(todo)} checks were left out, from {name} on"
                               + (f"; wrong: {', '.join(failed[:5])}" if failed else ""))
        start, row = monotonic(), {"check": name}
        try:
            apart, right = check(options.device)
            row["apart"] = apart if math.isfinite(apart) else str(apart)
            if not apart <= right:
                raise Wrong(f"{apart:.1e} apart, at most {right:.0e} is right")
        except Exception as error:
            row["failed"] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            failed.append(name)
            if "CUDA" in type(error).__name__ or "CUDA error" in str(error):
                emit(row | {"seconds": monotonic() - start})
                raise
        emit(row | {"seconds": monotonic() - start})
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(todo)} checks failed: {', '.join(failed[:5])}")


def _compile_ahead(device, options, emit) -> None:
    """Compiles all our kernels, in half of the time at most: what is not done by then is compiled where it is used."""
    from gpunet.kernel import Kernel, ahead

    start, half, done = monotonic(), options.left() / 2, 0
    row = {"check": "our kernels compile"}
    try:
        for _ in ahead.build(Kernel.ours, [device.arch], options.threads):
            done += 1
            if monotonic() - start > half:
                row["note"] = "out of time"
                break
    except Exception as error:
        row["failed"] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    emit(row | {"kernels": done, "seconds": monotonic() - start})
