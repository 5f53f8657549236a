"""Convolution of images in channels last, on the simulator, against sums written out in float64."""

import numpy as np
import pytest
from convolutions import (
    BFLOAT16,
    TOLERANCE,
    arrays,
    by_input,
    by_weight,
    check,
    check_what_follows,
    conv,
    distance,
    last,
    reference,
)
from test_conv import CASES

from gpunet.ops import conv as ops
from gpunet.ops import conv_channels_launch
from gpunet.ops.channels_last import as_rows, from_rows
from gpunet.ops.conv_channels_launch import LARGE, SMALL, TALL, WIDE
from gpunet.ops.windows import windows

# images, features, channels, groups, size, kernel, stride, padding, dilation
WHOLE = [  # channels and features are whole chunks
    (2, 40, 24, 1, (8, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 72, 64, 1, (9, 7), (3, 3), (2, 2), ((1, 1), (0, 2)), (1, 1)),  # strips of a slice; two tiles of features
    (2, 16, 8, 1, (11, 9), (3, 2), (3, 2), ((2, 2), (1, 1)), (2, 3)),  # taps that a phase does not meet
    (3, 136, 16, 1, (7, 7), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),  # phases without any tap
    (2, 24, 16, 1, (5, 14), (3, 3), (1, 2), ((1, 1), (1, 1)), (1, 1)),  # phases whose results are evenly spaced
    (2, 48, 32, 2, (6, 11), (5, 3), (1, 1), ((2, 2), (1, 1)), (1, 1)),
    (1, 8, 16, 1, (9, 9), (2, 2), (2, 2), ((0, 0), (-1, -2)), (1, 1)),  # cropped
    (1, 8, 8, 1, (3, 40), (3, 15), (1, 3), ((1, 1), (7, 7)), (1, 1)),  # as many taps as a word has bits for
    (9, 32, 16, 1, (14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # sums by the weight that blocks share
]
RAGGED = [case for case in CASES if case[3] == 1 and len(case[4]) == 2]


def of(dtype):
    return TOLERANCE["tf32" if dtype == "float32" else np.dtype(dtype).name]


@pytest.mark.parametrize("case", WHOLE + RAGGED, ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16, "float16"], ids=str)
def test_forward_and_both_gradients(cuda, monkeypatch, case, dtype):
    """In every tile, which give the same bits but for sums by the weight, where tiles say how blocks share these."""
    found = []
    for tiles in [(LARGE, LARGE), (TALL, WIDE), (TALL, TALL), (SMALL, SMALL)]:
        monkeypatch.setattr(cuda, "tf32", True)
        monkeypatch.setattr(conv_channels_launch, "_TILES", tiles[:1])
        monkeypatch.setattr(conv_channels_launch, "_WEIGHT_TILES", tiles[1:])
        found.append(check(cuda, case, dtype, last, of(dtype)))
    for others in found[1:]:
        for one, other in zip(found[0][:2], others[:2], strict=True):
            np.testing.assert_array_equal(one, other)


GROUPS = [  # whose channels or features are not whole chunks of half types, and not of float32 either
    (2, 24, 12, 3, (6, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 6, 9, 3, (7, 8), (3, 2), (2, 1), ((1, 1), (0, 1)), (1, 2)),
    (1, 70, 40, 2, (5, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # two tiles of features
]


@pytest.mark.parametrize("case", WHOLE + RAGGED + GROUPS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16, "float16"], ids=str)
def test_without_tensor_cores(cuda, monkeypatch, case, dtype):
    """In both tiles, which give the same bits; where channels are whole chunks, by these and by single numbers."""
    monkeypatch.setattr(conv_channels_launch, "on_tensor_cores", lambda *_: False)
    launches = conv_channels_launch
    found, tiles = [], zip(launches._ANY, launches._ANY_WEIGHT, strict=True)
    for tile, of_weight in list(tiles)[dtype == "float64":]:  # double has the small ones alone
        monkeypatch.setattr(launches, "_ANY", (tile,))
        monkeypatch.setattr(launches, "_ANY_WEIGHT", (of_weight,))
        found.append(check(cuda, case, dtype, last))
    if dtype == "float32" and case in WHOLE:
        monkeypatch.setattr(conv_channels_launch, "_are_whole", lambda *_: False)
        found.append(check(cuda, case, dtype, last))
    for others in found[1:]:
        for one, other in zip(found[0][:2], others[:2], strict=True):
            np.testing.assert_array_equal(one, other)


ONE_TAP = [(3, 24, 16, 1, (7, 5), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
           (2, 5, 3, 1, (4, 9), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))]


@pytest.mark.parametrize("case", ONE_TAP, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16], ids=str)
def test_one_tap_is_a_matrix_product(cuda, monkeypatch, case, dtype):
    """Of any type and size, and no other kernel is asked."""
    for name in ("_gather", "_weight"):
        monkeypatch.setattr(conv_channels_launch, name, None)
    check(cuda, case, dtype, last)


@pytest.mark.parametrize("case, tile", [(WHOLE[0], TALL), (WHOLE[1], LARGE), (WHOLE[5], SMALL), (RAGGED[0], SMALL),
                                        (WHOLE[1], None), (RAGGED[0], None)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16, "float16"], ids=str)
def test_what_follows_has_the_bits_of_separate_kernels(cuda, monkeypatch, case, tile, dtype):
    """On tensor cores, and by multiply-adds."""
    monkeypatch.setattr(cuda, "tf32", True)
    if tile is None:
        monkeypatch.setattr(conv_channels_launch, "on_tensor_cores", lambda *_: False)
    else:
        monkeypatch.setattr(conv_channels_launch, "_TILES", (tile,))
    check_what_follows(cuda, case, dtype, last)


@pytest.mark.parametrize("dtype", ["float32", "float16", BFLOAT16], ids=str)
def test_operands_alone_are_rounded(cuda, monkeypatch, dtype):
    """Products of numbers that the type holds exactly are exact, and sums are float32."""
    monkeypatch.setattr(cuda, "tf32", True)
    at, groups, operands = arrays(WHOLE[0], "float32")
    x, w, bias, g = (np.random.default_rng(i).integers(-2, 3, a.shape).astype(dtype) for i, a in enumerate(operands))
    out, dw = last(cuda, g), last(cuda, w)
    conv(cuda, out, last(cuda, x), last(cuda, w), cuda(bias), at=at, groups=groups)
    by_weight(cuda, dw, last(cuda, g), last(cuda, x), at=at, groups=groups)
    y, _, exact = reference(at, groups, x, w, bias, g)
    np.testing.assert_array_equal(out.get(), y.astype(dtype))
    np.testing.assert_array_equal(dw.get(), exact.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", BFLOAT16], ids=str)
def test_operands_that_lie_otherwise_are_copied(cuda, monkeypatch, dtype):
    """The weight, the residual and the other operand of a gradient in planes; and an image that does not begin at a
    multiple of 16 bytes."""
    monkeypatch.setattr(cuda, "tf32", True)
    at, groups, (x, w, bias, g) = arrays(WHOLE[0], dtype)
    y, dx, dw = reference(at, groups, x, w, bias, g)
    memory = cuda(np.append(np.zeros(1, dtype), as_rows(x)))
    odd = from_rows(memory[1:].reshape(as_rows(x).shape))
    found = [last(cuda, np.full(a.shape, 77, dtype)) for a in (g, x, w)]
    ops.conv_epilogue.op.launch(cuda, found[0], odd, cuda(w), cuda(bias), *[None] * 4, cuda(g), eps=0.0, activation=0,
                                at=at, groups=groups)
    by_input(cuda, found[1], cuda(g), last(cuda, w), at=at, groups=groups)
    by_weight(cuda, found[2], cuda(g), odd, at=at, groups=groups)
    for each, expected in zip(found, (y + g.astype(float), dx, dw), strict=True):
        assert distance(each.get(), expected) < of(dtype)


def test_which_convolutions_are_taken(cuda, monkeypatch):
    monkeypatch.setattr(cuda, "tf32", True)

    def taken(dtype="float32", channels=16, features=24, kernel=3, padding=1, groups=1, images=2):
        at = windows((20, 20), (kernel,) * 2, (1, 1), ((padding,) * 2,) * 2, (1, 1))
        return conv_channels_launch.serves(np.dtype(dtype), images, features, channels, at, groups)

    def by_tensor_cores(dtype="float32", channels=16, features=24, groups=1):
        return conv_channels_launch.on_tensor_cores(cuda, np.dtype(dtype), features // groups, channels // groups, None,
                                                    groups)

    assert taken() and taken(BFLOAT16) and taken("float64") and taken(groups=8) and taken("float16", channels=3)
    for other in (dict(kernel=16, padding=8), dict(images=0), dict(images=2**31 // 400 // 24 + 1), dict(dtype="int32")):
        assert not taken(**other)
    assert by_tensor_cores() and by_tensor_cores(BFLOAT16) and by_tensor_cores("float16", channels=3, features=5)
    assert by_tensor_cores(groups=2) and by_tensor_cores("float16", groups=2, channels=32, features=16)
    for other in (dict(dtype="float64"), dict(groups=8), dict(dtype="float16", groups=2, channels=24, features=16)):
        assert not by_tensor_cores(**other)
    monkeypatch.setattr(cuda, "tf32", False)
    assert not by_tensor_cores()
    monkeypatch.setattr(cuda, "capability", 75)
    assert not by_tensor_cores(BFLOAT16) and by_tensor_cores("float16")


def test_which_tiles_and_how_blocks_share_positions():
    """A GPU of 132 multiprocessors has work for all of them."""
    tiles = conv_channels_launch._TILES
    for positions, features, tile in [(200704, 64, TALL), (50176, 128, LARGE), (12544, 256, TALL), (3136, 512, LARGE),
                                      (1568, 96, SMALL), (100, 8, SMALL), (50176, 192, TALL)]:
        assert conv_channels_launch._tile(tiles, positions, features, 1, 132) == tile
    tiles = conv_channels_launch._WEIGHT_TILES
    for features, columns, positions, tile, parts in [(64, 576, 200704, WIDE, 52), (128, 1152, 50176, LARGE, 14),
                                                      (512, 4608, 3136, WIDE, 1), (8, 72, 400, SMALL, 1)]:
        assert conv_channels_launch._split(tiles, features, columns, positions, 1) == (tile, parts)


def test_before_compute_capability_8_0_tiles_are_small(cuda, monkeypatch):
    device = cuda.sized(1)
    monkeypatch.setattr(device, "capability", 75)
    for tiles in ("_TILES", "_WEIGHT_TILES"):
        monkeypatch.setattr(conv_channels_launch, tiles, (None, SMALL))
    check(device, WHOLE[0], "float16", last)
