"""Convolution on the simulator against sums written out in float64."""

import numpy as np
import pytest
from convolutions import (
    BFLOAT16,
    TOLERANCE,
    arrays,
    by_input,
    by_weight,
    check,
    conv,
    distance,
    reference,
)

from gpunet.ops import conv_launch, conv_product, conv_tensor_launch
from gpunet.ops.matmul_launch import product as product_of
from gpunet.ops.windows import windows

# images, features, channels, groups, size, kernel, stride, padding, dilation
CASES = [
    (2, 5, 3, 1, (8, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 5, 3, 1, (8, 9), (3, 3), (2, 2), ((1, 1), (0, 2)), (1, 1)),
    (2, 6, 4, 2, (11, 9), (3, 2), (3, 2), ((2, 2), (1, 1)), (2, 3)),  # taps that a phase does not meet
    (3, 70, 8, 1, (7, 7), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),  # phases without any tap
    (2, 3, 3, 3, (6, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # one channel a group
    (2, 6, 3, 3, (9, 40), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),  # and two filters
    (40, 2, 2, 2, (14, 6), (5, 5), (1, 1), ((2, 2), (4, 4)), (1, 2)),  # whose images blocks share
    (1, 4, 2, 2, (9, 8), (7, 7), (3, 1), ((3, 3), (3, 3)), (1, 1)),
    (1, 2, 2, 1, (9, 9), (2, 2), (2, 2), ((0, 0), (-1, -2)), (1, 1)),  # cropped
    (9, 33, 20, 1, (14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # sums by the weight that blocks share
    (2, 4, 6, 2, (12,), (3,), (2,), ((1, 1),), (2,)),
]


# Weights and planes in whole chunks of 16 bytes, and tiles that are full or go over the edge; the large ones, too.
TENSOR_CASES = [
    *CASES,
    (2, 130, 16, 1, (8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (3, 24, 16, 2, (9, 8), (3, 3), (2, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 66, 80, 1, (5, 8), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    (5, 5, 2, 1, (3, 40), (3, 15), (1, 3), ((1, 1), (7, 7)), (1, 1)),  # as many taps as a word has bits for
]


@pytest.mark.parametrize("case, dtype", [(case, "float32") for case in CASES]
                         + [(CASES[1], "float64")], ids=str)
def test_forward_and_both_gradients(cuda, case, dtype):
    check(cuda, case, dtype)


@pytest.mark.parametrize("dtype", ["float32", BFLOAT16], ids=str)
@pytest.mark.parametrize("images, features, channels, size", [(3, 24, 16, (8, 8)), (2, 40, 72, (64,)),
                                                                (1, 8, 8, (8, 16))])
def test_one_tap_is_a_matrix_product(cuda, monkeypatch, images, features, channels, size, dtype):
    taken = []
    monkeypatch.setattr(conv_product, "product", lambda *given: taken.append(given) or product_of(*given))
    ones, no_pads = (1,) * len(size), ((0, 0),) * len(size)
    at, groups, (x, w, bias, g) = arrays((images, features, channels, 1, size, ones, ones, no_pads, ones), dtype)
    found = [cuda.empty(a.shape, dtype) for a in (g, x)]
    for each in found:
        each.fill(77)
    conv(cuda, found[0], cuda(x), cuda(w), None, at=at, groups=groups)
    by_input(cuda, found[1], cuda(g), cuda(w), at=at, groups=groups)
    for each, expected in zip(found, reference(at, groups, x, w, 0 * bias, g), strict=False):
        assert distance(each.get(), expected) < TOLERANCE[x.dtype.name]
    assert len(taken) == 2


def test_which_convolutions_are_matrix_products(cuda, monkeypatch):
    def taken(dtype="float32", size=(8, 8), stride=1, padding=0, kernel=1, channels=16, groups=1):
        at = windows(size, (kernel,) * 2, (stride,) * 2, ((padding,) * 2,) * 2, (1, 1))
        x, w = cuda.empty((2, channels, *size), dtype), cuda.empty((24, channels // groups, kernel, kernel), dtype)
        return conv_product.serves(cuda, x, w, at, groups)

    assert taken() and taken(BFLOAT16) and taken(size=(7, 7)) and taken(channels=3)
    for other in (dict(stride=2), dict(padding=1), dict(kernel=3), dict(groups=2), dict(size=(4, 4)),
                  dict(dtype="float64"), dict(dtype=BFLOAT16, channels=12), dict(dtype=BFLOAT16, size=(7, 9))):
        assert not taken(**other)
    monkeypatch.setattr(cuda, "tf32x3", True)
    assert not taken() and taken(BFLOAT16)


@pytest.mark.parametrize("case", [pytest.param(case, marks=() if i in (0, 12) else pytest.mark.slow)
                                  for i, case in enumerate(TENSOR_CASES)], ids=str)
@pytest.mark.parametrize("dtype", [BFLOAT16, "float16", pytest.param("float32", id="tf32")], ids=str)
def test_tensor_cores(cuda, monkeypatch, case, dtype):
    """In both tiles, which give the same bits."""
    found, tolerance = [], TOLERANCE["tf32"] if dtype == "float32" else None
    for sm_count in (1, 10_000):
        device = cuda.sized(sm_count)
        monkeypatch.setattr(device, "tf32", True)
        found.append(check(device, case, dtype, tolerance=tolerance))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float16", BFLOAT16], ids=str)
def test_tensor_cores_round_the_operands_only(cuda, monkeypatch, dtype):
    """Products of numbers that the type holds exactly are exact, and sums are float32."""
    monkeypatch.setattr(cuda, "tf32", True)
    at, groups, operands = arrays(CASES[0], "float32")
    x, w, bias, g = (np.random.default_rng(i).integers(-4, 4, a.shape).astype(dtype) for i, a in enumerate(operands))
    out = cuda.empty(g.shape, dtype)
    conv(cuda, out, cuda(x), cuda(w), cuda(bias), at=at, groups=groups)
    np.testing.assert_array_equal(out.get(), reference(at, groups, x, w, bias, g)[0].astype(dtype))


@pytest.mark.parametrize("case", [(2, 16, 20, 2, (5, 8), (3, 2), (1, 1), ((1, 1), (0, 2)), (1, 2)),
                                  (2, 24, 3, 1, (11,), (3,), (1,), ((1, 1),), (1,))], ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16], ids=str)
def test_a_weight_that_is_turned_first_gives_the_same_bits(cuda, monkeypatch, case, dtype):
    monkeypatch.setattr(cuda, "tf32", True)
    at, groups, (_, w, _, g) = arrays(case, dtype)
    found, turned = [], conv_tensor_launch.turned
    calls = []
    monkeypatch.setattr(conv_tensor_launch, "turned", lambda *args: calls.append(args) or turned(*args))
    for least in (conv_tensor_launch._WORTH_TURNING, 0):
        monkeypatch.setattr(conv_tensor_launch, "_WORTH_TURNING", least)
        out = cuda.empty((case[0], case[2], *case[4]), dtype)
        by_input(cuda, out, cuda(g), cuda(w), at=at, groups=groups)
        found.append(out.get())
    assert len(calls) == 1
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("dtype, capability, kernel", [(BFLOAT16, 75, (3, 3)), (BFLOAT16, 80, (1, 16)),
                                                       ("float16", 80, (16, 1)), ("float16", 75, (3, 3))], ids=str)
def test_where_tensor_cores_do_not_serve(cuda, monkeypatch, dtype, capability, kernel):
    """Before tensor cores take the type, and kernels of more than 15 taps in a dimension; half precision they take from
    the first."""
    device = cuda.sized(1)
    monkeypatch.setattr(device, "capability", capability)
    padding = tuple((k // 2, k // 2) for k in kernel)
    check(device, (2, 70, 3, 1, (17, 18), kernel, (1, 1), padding, (1, 1)), dtype)


def test_float32_keeps_its_bits_where_nobody_asks_for_tf32(cuda):
    x, at = np.full((1, 8, 1, 1), 1 + 2.0**-20, np.float32), windows((1, 1), (1, 1), (1, 1), ((0, 0),) * 2, (1, 1))
    out = cuda.empty((1, 1, 1, 1), "f4")
    conv(cuda, out, cuda(x), cuda(np.ones((1, 8, 1, 1), "f4")), None, at=at, groups=1)
    assert out.get().item() == 8 * x[0, 0, 0, 0]


def test_how_blocks_share_positions():
    """A weight's gradient fills 132 multiprocessors where positions are many; the shapes alone decide."""
    at = conv_tensor_launch.WeightGather(*[1] * 19)
    for rows, columns, positions, tile, splits in [
            (64, 576, 65536, "SMALL", 29), (128, 1152, 32768, "LARGE", 29), (512, 4608, 512, "LARGE", 1),
            (64, 27, 400, "SMALL", 1)]:
        sizes = at._replace(rows=rows, columns=columns, positions=positions)
        assert conv_tensor_launch._splits(getattr(conv_tensor_launch, tile), sizes) == splits


@pytest.mark.parametrize("tile", conv_launch._TILES, ids=str)
def test_every_tile(cuda, monkeypatch, tile):
    monkeypatch.setattr(conv_launch, "_TILES", (tile,))
    at, groups, (x, w, bias, g) = arrays(CASES[6], "float32")
    y, dx, _ = reference(at, groups, x, w, bias, g)
    found = cuda.empty(g.shape, "f4"), cuda.empty(x.shape, "f4")
    conv(cuda, found[0], cuda(x), cuda(w), cuda(bias), at=at, groups=groups)
    by_input(cuda, found[1], cuda(g), cuda(w), at=at, groups=groups)
    assert distance(found[0].get(), y) < 1e-6 and distance(found[1].get(), dx) < 1e-6


def test_volumes_are_left_to_the_body(cuda):
    at = windows((3, 3, 3), (2, 2, 2), (1, 1, 1), ((0, 0),) * 3, (1, 1, 1))
    x, w, y = cuda.empty((1, 1, 3, 3, 3), "f4"), cuda.empty((1, 1, 2, 2, 2), "f4"), cuda.empty((1, 1, 2, 2, 2), "f4")
    assert conv(cuda, y, x, w, None, at=at, groups=1) is NotImplemented
    assert by_input(cuda, x, y, w, at=at, groups=1) is NotImplemented
    assert by_weight(cuda, w, y, x, at=at, groups=1) is NotImplemented
