"""Matrix products by wgmma on the simulator, and on a GPU of compute capability 9.0, against NumPy."""

import ml_dtypes
import numpy as np
import pytest
from test_epilogue import separately

from gpunet._environment import SettingError
from gpunet.kernel.tensor_map import map_of
from gpunet.ops import matmul_hopper
from gpunet.ops.epilogue import GELU, GELU_TANH, NONE, RELU, SILU
from gpunet.ops.linear import linear_grad, linear_relu
from gpunet.ops.matmul import matmul_grad, matmul_op
from gpunet.ops.matmul_hopper import HOPPER, TILES_N, choose, launch_hopper, limited, turned
from gpunet.ops.matmul_launch import Product, operand

matmul_op, matmul_grad, linear_relu, linear_grad = (
    operation.op.launch for operation in (matmul_op, matmul_grad, linear_relu, linear_grad))

BFLOAT16, FLOAT32 = np.dtype(ml_dtypes.bfloat16), np.dtype("float32")
TOLERANCE = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-3}  # the last: TF32
LAYOUTS = [(ta, tb) for ta in (False, True) for tb in (False, True)]


@pytest.fixture
def hopper(cuda, monkeypatch):
    """A device of few multiprocessors, so that a block has several tiles."""
    if cuda.type == "cuda" and int(cuda.xp.cuda.Device().compute_capability) != HOPPER:
        pytest.skip("needs compute capability 9.0")
    device = cuda.sized(2)
    monkeypatch.setattr(device, "capability", HOPPER)
    monkeypatch.setattr(device, "tf32", True)
    return device


@pytest.fixture
def chosen(monkeypatch):
    """The tiles of the kernel's launches; it is chosen wherever it can serve."""
    found = []

    def launch(cuda, x, *way):
        found.append(way[0])
        launch_hopper(cuda, x, *way)

    monkeypatch.setattr(matmul_hopper, "launch_hopper", launch)
    monkeypatch.setattr(matmul_hopper, "choose", lambda *_: (128, 1, 1))
    return found


def numbers(shape, kind, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(kind)


def check(out, expected):
    tolerance = TOLERANCE[out.dtype.name]
    np.testing.assert_allclose(out.get().astype(float), expected, rtol=tolerance,
                               atol=tolerance * np.abs(expected).max())


def multiply(device, a, b, ta, tb, tile_n, n=None, parts=1, blocks=1, **epilogue):
    """op(a) @ op(b) by the kernel, or its first n columns."""
    m, k = a.shape[::-1] if ta else a.shape
    n = n or b.shape[0 if tb else 1]
    right = device(b)[:n] if tb else device(b)[:, :n]
    out = device.empty((m, n), a.dtype)
    out.fill(77)
    product = Product(out, operand(device, device(a), ta), operand(device, right, tb), m, n, k, **epilogue)
    launch_hopper(device, product if a.dtype != FLOAT32 or tb else turned(product), tile_n, blocks, parts)
    return out


# Of both tiles: less than one; whole ones, more than the multiprocessors, and a ring that is filled more than once;
# edges in every dimension, that end within boxes, chunks and pairs of results.
SIZES = [(8, 8, 8), (256, 512, 448), (136, 264, 72), (200, 395, 136)]


KINDS = [(kind, tile_n, ta, tb) for kind in (BFLOAT16, np.dtype("float16")) for tile_n in TILES_N for ta, tb in LAYOUTS]
KINDS += [(FLOAT32, tile_n, False, tb) for tile_n in TILES_N for tb in (False, True)]
QUICK = [("bfloat16", 256, False, True), ("bfloat16", 128, True, False), ("float32", 128, False, True),
         ("float32", 128, False, False)]


@pytest.mark.parametrize("kind, tile_n, ta, tb", [
    pytest.param(*case, marks=() if (case[0].name, *case[1:]) in QUICK else pytest.mark.slow,
                 id=f"{case[0].name} {case[1]} {'NT'[case[2]]}{'NT'[case[3]]}") for case in KINDS])
def test_products(hopper, kind, tile_n, ta, tb):
    for m, n, k in SIZES:
        a, wide = numbers((k, m) if ta else (m, k), kind, 0), -(-n // 8) * 8  # rows of memory in pieces of 16 bytes
        b = numbers((wide, k) if tb else (k, wide), kind, 1)
        out = multiply(hopper, a, b, ta, tb, tile_n, n)
        check(out, (a.T if ta else a).astype(float) @ (b.T if tb else b).astype(float)[:, :n])


def test_sums_are_float32_and_operands_are_not_rounded(hopper):
    a = np.random.default_rng(0).integers(-8, 8, (144, 200)).astype(BFLOAT16)
    out = multiply(hopper, a, a, False, True, 256)
    np.testing.assert_array_equal(out.get(), (a.astype(float) @ a.astype(float).T).astype(BFLOAT16))


def test_float_is_rounded_to_tf32(hopper):
    """To the nearest number of 10 bits of fraction, in the middle to the even one, and not cut off."""
    a, unit = numbers((136, 136), FLOAT32, 0), np.float32(2.0**-10)
    a[0, :5] = 1 + unit / 2, 1 + unit * 1.5, -1 - unit * 0.51, 2 - unit / 4, 3e-42
    bits = a.view("u4")
    rounded = (bits + 0xFFF + (bits >> 13 & 1) & 0xFFFFE000).view("f4")
    assert rounded[0, :4].tolist() == [1, 1 + 2 * unit, -1 - unit, 2]
    one = np.eye(136, dtype="f4")
    np.testing.assert_array_equal(multiply(hopper, a, one, False, True, 128).get(), rounded)
    np.testing.assert_array_equal(multiply(hopper, one, a, False, True, 256).get(), rounded.T)
    np.testing.assert_array_equal(multiply(hopper, one, a, False, False, 256).get(), rounded)


@pytest.mark.parametrize("kind, tb, n", [(BFLOAT16, True, 264), (BFLOAT16, True, 131), (FLOAT32, True, 264),
                                         (FLOAT32, True, 131), (FLOAT32, False, 264), (FLOAT32, False, 132)],
                         ids=str)
def test_epilogue(hopper, kind, tb, n):
    """Bias, a sum with what is there, every activation, which NaN goes through, and what that is applied to. Each
    step has the bits of a kernel of its own."""
    x, weight, bias, there = (numbers(shape, kind, i) for i, shape in enumerate(
        [(140, 72), (n, 72), (n,), (140, n)]))
    x[3, 4] = np.nan
    given_weight = weight if tb else np.ascontiguousarray(weight.T)
    wide = x.astype(float) @ weight.astype(float).T + bias.astype(float)
    given = hopper(there)
    plain = multiply(hopper, x, given_weight, False, tb, 256, bias=hopper(bias))
    rows = np.arange(140) != 3
    rtol, atol = (2**-8, 1e-3) if kind == BFLOAT16 else (0, 2e-2)
    np.testing.assert_allclose(plain.get().astype(float)[rows], wide[rows], rtol=rtol, atol=atol)
    for activation, onto, keeps in [(NONE, given, False), (RELU, None, False), (RELU, given, True), (GELU, None, True),
                                    (GELU_TANH, given, False), (SILU, given, True)]:
        kept = hopper.empty(plain.shape, kind) if keeps else None
        out = multiply(hopper, x, given_weight, False, tb, 256, bias=hopper(bias), activation=activation, onto=onto,
                       kept=kept)
        assert np.isnan(out.get()[3].astype(float)).all()
        before, after = separately(hopper, plain, onto, activation)
        np.testing.assert_array_equal(out.get()[rows], after.get()[rows])
        if keeps:
            np.testing.assert_array_equal(kept.get()[rows], before.get()[rows])


@pytest.mark.parametrize("left, right", [((2, 3, 40, 72), (2, 3, 72, 24)), ((1, 3, 40, 72), (2, 1, 72, 24)),
                                         ((3, 40, 72), (72, 24)), ((40, 72), (3, 72, 24))])
def test_batches(hopper, chosen, left, right):
    a, b = numbers(left, BFLOAT16, 0), numbers(right, BFLOAT16, 1)
    expected = np.matmul(a.astype(float), b.astype(float))
    out = hopper.empty(expected.shape, BFLOAT16)
    matmul_op(hopper, out, hopper(a), hopper(b), ta=False, tb=False)
    check(out, expected)
    assert chosen == [128]


@pytest.mark.parametrize("behind", [(False, True), (True, False)])
def test_gradients_of_heads_behind_rows(hopper, chosen, monkeypatch, behind):
    """Read and written in place, and added to what is there; matrices of the batch lie between each other."""
    monkeypatch.setattr("gpunet.ops.matmul.pair", lambda *_: False)
    a, b, g = (numbers(shape, BFLOAT16, i) for i, shape in enumerate([(2, 24, 3, 16), (2, 16, 3, 40), (2, 3, 24, 40)]))
    x, y = a.swapaxes(1, 2), b.swapaxes(1, 2)
    onto = numbers(x.shape, BFLOAT16, 3), numbers(y.shape, BFLOAT16, 4)
    found = [hopper.empty(each.swapaxes(1, 2).shape if turned else each.shape, BFLOAT16)
             for each, turned in zip((x, y), behind, strict=True)]
    matmul_grad(hopper, *found, hopper(g), hopper(a).swapaxes(1, 2), hopper(b).swapaxes(1, 2), *map(hopper, onto),
                ta=False, tb=False, behind=behind)
    x, y, wide_g = (each.astype(float) for each in (x, y, g))
    expected = wide_g @ y.swapaxes(2, 3), x.swapaxes(2, 3) @ wide_g
    for ours, right, there, swapped in zip(found, expected, onto, behind, strict=True):
        check(ours.swapaxes(1, 2) if swapped else ours, right + there.astype(float))
    assert chosen == [128, 128]


def test_a_layer_and_its_gradients(hopper, chosen, monkeypatch):
    monkeypatch.setattr("gpunet.ops.linear.pair", lambda *_: False)
    x, weight, bias, g = (numbers(shape, BFLOAT16, i) for i, shape in enumerate(
        [(144, 40), (136, 40), (136,), (144, 136)]))
    y = hopper.empty((144, 136), BFLOAT16)
    linear_relu(hopper, y, hopper(x), hopper(weight), hopper(bias))
    wide_x, wide_w, wide_g = (each.astype(float) for each in (x, weight, g))
    check(y, np.maximum(wide_x @ wide_w.T + bias.astype(float), 0))
    dx, dw, db = (hopper.empty(shape, BFLOAT16) for shape in (x.shape, weight.shape, (0,)))
    linear_grad(hopper, dx, dw, db, hopper(g), hopper(x), hopper(weight), None, None, sums=False)
    check(dx, wide_g @ wide_w)
    check(dw, wide_g.T @ wide_x)
    assert chosen == [128] * 3


def test_where_it_serves(hopper, chosen, monkeypatch):
    """Rows that begin at multiples of 16 bytes, in TF32 along k; not on other devices, nor for other types, nor when
    turned off."""
    def product(m=40, n=48, k=24, kind=BFLOAT16, shift=0, ta=False, tb=True):
        a, b = numbers(shift + m * k, kind, 0), numbers((n, k) if tb else (k, n), kind, 1)
        left, out = a[shift:].reshape((k, m) if ta else (m, k)), hopper.empty((m, n), kind)
        matmul_op(hopper, out, hopper(a)[shift:].reshape(left.shape), hopper(b), ta=ta, tb=tb)
        expected = (left.T if ta else left).astype(float) @ (b.T if tb else b).astype(float)
        np.testing.assert_allclose(out.get().astype(float), expected, rtol=2e-2, atol=2e-2 * k)
        count = len(chosen)
        chosen.clear()
        return count

    assert product() == 1
    assert product(k=20) == product(shift=4) == 0
    assert product(kind=FLOAT32) == product(kind=FLOAT32, k=20) == 1
    assert product(kind=FLOAT32, tb=False) == 1
    assert product(kind=FLOAT32, k=22) == 0
    assert product(kind=FLOAT32, ta=True) == product(kind=FLOAT32, ta=True, tb=False) == 0
    for tf32x3 in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(hopper, "tf32", False)
            patch.setattr(hopper, "tf32x3", tf32x3)
            assert product(kind=FLOAT32) == 0
    with limited(0):
        assert product() == product(kind=FLOAT32) == 0
    for capability in (80, 100):
        monkeypatch.setattr(hopper, "capability", capability)
        assert product() == 0


def test_the_setting(monkeypatch):
    for given, most in [("", 2), ("0", 0), ("1", 1)]:
        monkeypatch.setenv("GPUNET_WGMMA", given)
        assert matmul_hopper._setting.__wrapped__() == most
    monkeypatch.setenv("GPUNET_WGMMA", "off")
    with pytest.raises(SettingError, match=r"GPUNET_WGMMA is 'off'; it is 0 \(no products by wgmma\), 1"):
        matmul_hopper._setting.__wrapped__()


def test_which_way():
    """On 132 multiprocessors: large products by pairs, few tiles by narrow ones, next to no depth by mma.sync."""
    assert [choose(size, size, size, 1, 132) for size in (4096, 8192)] == [(256, 2, 1)] * 2
    assert choose(8192, 8192, 8192, 1, 132, 1) == (256, 1, 1)
    assert choose(1024, 2048, 512, 1, 132) == (128, 1, 1)
    for m, n, k in [(4096, 4096, 0), (64, 64, 64), (1024, 1024, 64)]:
        assert choose(m, n, k, 1, 132) is None
    for m, n, k in [(4096, 4096, 4096), (8192, 768, 3072)]:  # 1 of k is as much as 2 of half types
        assert choose(m, n, k, 1, 132, itemsize=4) == choose(m, n, 2 * k, 1, 132) == (256, 2, 1)


def test_into_how_many_parts():
    """The gradient of a weight fills the multiprocessors; how depends on the device, into how many parts does not.
    A result that lies between others is left whole."""
    assert choose(768, 768, 16384, 1, 132) == (256, 2, 7)
    for count, most in [(114, 2), (132, 1), (78, 2)]:
        assert choose(768, 768, 16384, 1, count, most)[2] == 7
    assert choose(768, 768, 16384, 1, 132, 2, 1, False)[2] == 1


@pytest.mark.parametrize("tile_n, ta, tb", [(256, True, False), pytest.param(128, False, True, marks=pytest.mark.slow)])
def test_blocks_share_k(hopper, tile_n, ta, tb):
    """Parts of whole slices, the last of them shorter, with fewer blocks than parts; the epilogue comes at the end."""
    for (m, n, k), parts in [((136, 264, 520), 3), ((40, 67, 328), 8)]:
        wide = -(-n // 8) * 8
        a, b = numbers((k, m) if ta else (m, k), BFLOAT16, 0), numbers((wide, k) if tb else (k, wide), BFLOAT16, 1)
        bias, there = numbers(n, BFLOAT16, 2), numbers((m, n), BFLOAT16, 3)
        out = multiply(hopper, a, b, ta, tb, tile_n, n, parts=parts, bias=hopper(bias), onto=hopper(there),
                       activation=RELU)
        x, y = (a.T if ta else a).astype(float), (b.T if tb else b).astype(float)[:, :n]
        check(out, np.maximum(x @ y + bias.astype(float) + there.astype(float), 0))
        exact = [each.astype("i8").astype(BFLOAT16) for each in (a, b)]
        whole, shared = (multiply(hopper, *exact, ta, tb, tile_n, n, parts=each).get() for each in (1, parts))
        np.testing.assert_array_equal(shared, whole)


def test_a_product_takes_parts_where_it_pays(hopper, monkeypatch):
    monkeypatch.setattr(hopper, "sm_count", 132)
    seen = []
    monkeypatch.setattr(matmul_hopper, "launch_hopper", lambda cuda, x, *way: seen.append(way))
    g, x = hopper.empty((16384, 256), BFLOAT16), hopper.empty((16384, 512), BFLOAT16)
    matmul_op(hopper, hopper.empty((256, 512), BFLOAT16), g, x, ta=True, tb=False)
    assert seen[0][2] > 8


def test_maps_of_matrices_are_made_once(cuda):
    if cuda.type == "cuda" and int(cuda.xp.cuda.Device().compute_capability) < HOPPER:
        pytest.skip("needs compute capability 9.0")
    x = cuda.empty((2, 8, 64), BFLOAT16)
    arguments = (64, 8, 2, 1), (128, 1024, 16), (64, 8), 128
    assert map_of(x, *arguments) is map_of(x, *arguments)
    for sizes, steps, box in [((64, 8, 2, 1), (120, 1024, 16), (64, 8)), ((64, 8, 2, 1), (128, 1024, 16), (64, 300)),
                              ((64, 0, 2, 1), (128, 1024, 16), (64, 8))]:
        with pytest.raises(ValueError, match="tensor_map"):
            map_of(x, sizes, steps, box, 128)
