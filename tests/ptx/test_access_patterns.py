"""How our kernels access memory, counted by the PTX engine on shapes that fill their tiles: no bank conflicts in shared
memory and whole sectors of global memory, but where WAIVED says how much more, and why that is right.

Matrix products, convolutions by tensor cores and results by wgmma are computed from their addresses, too:
tests/kernel/test_banks.py.
"""

import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, sim
from gpunet.kernel import nvrtc
from gpunet.ops import matmul_launch
from gpunet.ops.linear import bias_relu
from gpunet.ops.recurrent import CELLS, sequence
from gpunet.ptx import profiles

HALF = gpunet.bfloat16


def normal(*shape, dtype=gpunet.float32, grad=True):
    return gpunet.randn(*shape, device="sim").to(dtype).requires_grad_(grad)


def numbers(*shape):
    return normal(*shape, grad=False)


def back(y):
    y.backward(gpunet.ones_like(y))


def layer(dtype):
    back(F.linear(normal(256, 128, dtype=dtype), normal(128, 128, dtype=dtype), normal(128, dtype=dtype)))


def in_precision(precision, program=layer):
    gpunet.set_float32_matmul_precision(precision)
    try:
        program(gpunet.float32)
    finally:
        gpunet.set_float32_matmul_precision("highest")


def convolution(dtype, groups=1):
    weight = normal(64 if groups == 1 else 16, 16 // groups, 3, 3, dtype=dtype)
    back(F.conv2d(normal(4, 16, 16, 16, dtype=dtype), weight, padding=1, groups=groups))


def wide_product():
    pays = matmul_launch.wide_pays
    matmul_launch.wide_pays = lambda cuda, x: True
    try:
        layer(gpunet.float32)
    finally:
        matmul_launch.wide_pays = pays


def convolution_in_channels_last(dtype, channels=32, features=64, groups=1):
    x, weight = (normal(*shape, dtype=dtype).permute(0, 3, 1, 2)
                 for shape in ((8, 16, 16, channels), (features, 3, 3, channels // groups)))
    y = F.conv2d(x, weight, padding=1, groups=groups)
    y.backward(gpunet.ones_like(y))


def depthwise_in_channels_last(dtype, kernel, stride):
    weight = normal(64, 1, kernel, kernel, dtype=dtype)
    y = F.conv2d(last(4, 64, 16, 16, dtype=dtype), weight, None, stride, kernel // 2, groups=64)
    y.backward(y.detach())


def row_norm(dtype, columns):
    back(F.layer_norm(normal(64, columns, dtype=dtype), (columns,), normal(columns, dtype=dtype),
                      normal(columns, dtype=dtype)))


def attention(dtype, features):
    q, k, v = (normal(1, 2, 128, features, dtype=dtype) for _ in range(3))
    back(F.scaled_dot_product_attention(q, k, v, is_causal=True))


def cross_entropy(rows, classes):
    back(F.cross_entropy(normal(rows, classes), gpunet.randint(0, classes, (rows,), device="sim")))


def recurrent(cell, hidden):
    gates, states = CELLS[cell].gates * hidden, CELLS[cell].states * hidden
    back(sequence(normal(4, 4, 32), normal(4, states), normal(gates, 32), normal(gates, hidden), normal(gates),
                  normal(gates), cell=cell)[0])


def optimizer():
    parameters = [nn.Parameter(numbers(64, 64)) for _ in range(3)]
    for parameter in parameters:
        parameter.grad = numbers(64, 64)
    nn.utils.clip_grad_norm_(parameters, 0.1)
    gpunet.optim.AdamW(parameters).step()


def sums():
    for shape, dim in [((64, 1024), 1), ((1024, 64), 0), ((8, 16, 64), (0, 2)), ((100000,), 0)]:
        numbers(*shape).sum(dim)


def last(*shape, dtype=gpunet.float32):
    """Images in channels last."""
    n, c, h, w = shape
    return normal(n, h, w, c, dtype=dtype, grad=False).permute(0, 3, 1, 2).requires_grad_()


def norms_of_channels():
    for dtype in (gpunet.float32, HALF):
        model = nn.BatchNorm2d(64).to("sim")
        back(model(last(4, 64, 32, 32, dtype=dtype)))
        back(model.with_relu(*(last(4, 64, 32, 32, dtype=dtype) for _ in range(2))))
        with gpunet.no_grad():
            model.eval()(last(4, 64, 32, 32, dtype=dtype))


def pools():
    for pool in (F.max_pool2d, F.avg_pool2d):
        back(pool(normal(4, 8, 32, 32), 2))
        y = pool(last(4, 64, 32, 32), 3, 2, 1)
        y.backward(y.detach())
    for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        y = pool(last(4, 64, 31, 31), 8)
        y.backward(y.detach())


PROGRAMS = {
    "products": lambda: layer(gpunet.float32), "products in bfloat16": lambda: layer(HALF),
    "products in TF32": lambda: in_precision("high"), "products by 3xTF32": lambda: in_precision("tf32x3"),
    "products by wide tiles": wide_product,
    "shared k": lambda: numbers(64, 2048) @ numbers(2048, 64),
    "bias and ReLU": lambda: back(bias_relu(normal(256, 128), normal(128))),
    "convolution": lambda: convolution(gpunet.float32), "convolution in bfloat16": lambda: convolution(HALF),
    "convolution in channels last": lambda: [convolution_in_channels_last(HALF),
                                             in_precision("high", convolution_in_channels_last)],
    "convolution by multiply-adds in channels last": lambda: [
        convolution_in_channels_last(gpunet.float32), convolution_in_channels_last(gpunet.float32, 3),
        convolution_in_channels_last(HALF, 24, 128, 2)],
    "depthwise": lambda: convolution(gpunet.float32, 16),
    "depthwise in channels last": lambda: [depthwise_in_channels_last(dtype, kernel, stride)
                                           for dtype, kernel, stride in ((gpunet.float32, 3, 1), (HALF, 7, 1),
                                                                         (gpunet.float32, 3, 2))],
    "batch norm": lambda: [back(nn.BatchNorm2d(16).to("sim")(normal(4, 16, 16, 16))),
                           back(nn.BatchNorm2d(16).to("sim").with_relu(*(normal(4, 16, 16, 16) for _ in range(2))))],
    "batch norm in channels last": norms_of_channels,
    "group norm": lambda: back(F.group_norm(normal(4, 16, 16, 16), 4, normal(16), normal(16))),
    "group norm in channels last": lambda: [
        back(F.group_norm(last(4, 64, 32, 32, dtype=dtype), 4, normal(64, dtype=dtype), normal(64, dtype=dtype)))
        for dtype in (gpunet.float32, HALF)],
    "layer norm": lambda: [row_norm(gpunet.float32, 128), row_norm(gpunet.float32, 1024), row_norm(HALF, 1024)],
    "attention": lambda: attention(gpunet.float32, 64),
    "attention in bfloat16": lambda: [attention(HALF, features) for features in (64, 128)],
    "scans": lambda: [back(gpunet.cumsum(normal(*shape), dim)) for shape, dim in (
        ((64, 512), 1), ((2, 16384), 1), ((64, 64), 0), ((4, 8), 1))] + [back(gpunet.cumprod(normal(64, 64), 1))],
    "softmax": lambda: [back(F.softmax(normal(*shape), 1)) for shape in ((64, 1024), (4, 32, 64), (2, 40000))],
    "cross-entropy": lambda: [cross_entropy(*shape) for shape in ((64, 1000), (2, 40000))],
    "recurrence": lambda: [recurrent("lstm", 96), recurrent("gru", 64)],
    "optimizer": optimizer, "sums": sums, "pools": pools,
    "dropout": lambda: back(F.dropout(normal(64, 128), 0.3)),
    "random": lambda: [gpunet.rand(4096, device="sim"), gpunet.randn(4096, device="sim")],
    "element-wise": lambda: back(F.gelu(normal(64, 128)) + F.elu(normal(64, 128)) * normal(128)),
    "embedding": lambda: back(F.embedding(gpunet.randint(0, 50, (256,), device="sim"), normal(50, 64))),
    "joined": lambda: back(gpunet.cat([normal(64, 64), normal(64, 32)], 1)),
    "best": lambda: [numbers(64, 1024).argmax(1), numbers(1024, 64).argmax(0)],
    "sorted": lambda: numbers(16, 1024).sort(1),
}
QUICK = ("sums", "dropout")

# Beginning of a kernel's name -> wavefronts of shared memory and sectors of global memory, as multiples of the least
# that its accesses could take. What is said is of the larger one.
WAIVED = {
    "bias_relu<": (1, 2),               # the bias, by elements, from L1
    "bias_relu_backward": (3, 1),       # the warps' sums, once a block
    "column_sum<": (3, 1),              # the same
    "conv_gather": (1.05, 1.8),         # results are stored by elements, of a sum of hundreds of products each
    "conv_weight": (1.06, 1.4),
    "conv_channels_any<float,float,false": (1, 1.3),  # 16 numbers each of places whose channels are no whole sectors
    "conv_channels_any<__nv_bfloat16": (1, 1.7),
    "conv_channels_any_weight<float,float,false": (1, 1.75),
    "conv_channels_any_weight<__nv_bfloat16": (1, 1.7),
    "depthwise_channels<": (1, 1.22),   # filters, which lie turned, once a block
    "depthwise_channels<__nv_bfloat16": (1.07, 1.8),
    "depthwise_channels_input": (1, 1.6),
    "depthwise_channels_weight": (1, 1.03),  # sums, once a block
    "depthwise_channels_weight<__nv_bfloat16": (1, 1.3),
    "conv_tensor<__nv_bfloat16,false": (1, 1.5),  # by the input: weights by elements (docs/own-kernels.md)
    "normalize_rows_grad<float,float,float,4,32>": (4, 1),  # the warps' sums, once a block
    "normalize_rows_grad<__nv_bfloat16": (1, 1.5),  # the weight's sums are float, 32 bytes a thread, once a block
    "columns_": (1, 1.06),              # of a column three numbers, once a block
    "normalize_columns<": (1, 1.05),
    "normalize_columns<__nv_bfloat16": (1, 1.2),  # vectors of float, 32 bytes a lane, once a block
    "normalize_columns_grad<__nv_bfloat16": (1, 1.12),
    "groups_moments": (1.02, 1.01),     # of groups and columns, once a block
    "groups_sums": (1.04, 1.001),
    "normalize_column_groups": (1.01, 1.02),
    "running_norm_rows<__nv_bfloat16": (1, 1.21),
    "attention<float": (1, 1.6),        # results, once a block
    "attention_by_": (1.01, 1.6),
    "softmax_columns": (2, 1),          # the rows' sums, once a block
    "sequence_forward": (1, 3.8),       # the weight, once a launch
    "matmul_float<false,true,1,32,32": (1.15, 1),  # warps that share k add up, once a tile
    "matmul_float<true,false,4,32,32": (1.1, 1),
    "max_pool": (1, 1.9),               # every second element of a row: the other half is the next tap's, from L1
    "avg_pool": (1, 1.9),
    "adaptive_max_pool": (1, 1.8),      # indices of 8 bytes, 32 a lane
    "join<unsigned int": (1, 1.2),      # each element's neighbour, in the gradient of a product
    "best_columns": (2, 1),             # the ranges' best, once a block
    "sort_rows": (1.65, 1),             # exchanges at distances of few elements, of 8 bytes
    "take_along": (1, 2.6),             # where indices say
}


def allowed(kernel):
    """The longest name that fits."""
    found = [name for name in WAIVED if kernel.startswith(name)]
    return WAIVED[max(found, key=len)] if found else (1, 1)


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
                                  for name in PROGRAMS])
def test_no_conflicts_and_whole_sectors(name, compiler, monkeypatch):
    # Machine code takes a third to a half of a profile's time; what it tells, tests/kernel/test_compile.py asks.
    monkeypatch.setattr(profiles.compilers, "machine_code", lambda *_: nvrtc.Program(b"", {}, {}, ""))
    monkeypatch.setattr(profiles.sass, "disassembler", lambda: None)
    gpunet.manual_seed(0)
    with sim.profiled() as launches:
        PROGRAMS[name]()
    assert launches
    over = {}
    for each in launches:
        total, (waves, sectors) = each.total, allowed(each.kernel)
        if total.wavefronts > waves * total.least_wavefronts or total.sectors > sectors * total.least_sectors:
            over[each.kernel] = (total.wavefronts, total.least_wavefronts, total.sectors, total.least_sectors)
    assert not over
