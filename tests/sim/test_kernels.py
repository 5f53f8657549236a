"""What correct kernels compute, against NumPy."""

import os
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from sim_kernels import EXPRESSIONS, KERNELS

import gpunet.sim.cupy as xp
from gpunet import sim

rng = np.random.default_rng(0)
i32 = np.int32


def floats(*shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("dtype, name", [(np.float32, "float"), (np.float64, "double"), (np.int32, "int")])
@pytest.mark.parametrize("n", [1, 255, 1000])
def test_add(launch, dtype, name, n):
    a, b = (floats(2, n) * 100).astype(dtype)
    out = xp.empty(n, dtype)
    launch(f"add<{name}>", -(-n // 256), 256, out, xp.asarray(a), xp.asarray(b), i32(n))
    np.testing.assert_array_equal(out.get(), a + b)


def test_block_sums(launch):
    x, out = floats(10_000), xp.empty(7, np.float32)
    launch("block_sums", 7, 256, out, xp.asarray(x), i32(x.size))
    np.testing.assert_allclose(out.get().sum(), x.sum(dtype=np.float64), rtol=1e-5)


def test_shuffles(launch):
    out = xp.empty((6, 32), np.int32)
    launch("shuffles", 1, 32, out)
    lane = np.arange(32)
    want = [np.full(32, 105), np.where(lane < 3, lane, lane - 3) + 100, np.where(lane % 8 < 6, lane + 2, lane) + 100,
            (lane ^ 1) + 100, np.full(32, (lane + 100).sum()), lane // 8 * 8 + 101]
    np.testing.assert_array_equal(out.get(), want)


def test_shuffle_from_a_lane_that_takes_no_part_gives_poison(launch):
    out = xp.zeros(16, np.float32)
    launch("half_warp_shuffle", 1, 32, out)
    np.testing.assert_array_equal(out.get(), [1] * 8 + [np.nan] * 8)


def test_votes(launch):
    x, out = rng.integers(-50, 50, 32).astype(np.int32), xp.empty(7, np.uint32)
    launch("votes", 1, 32, out, xp.asarray(x))
    bits = 1 << np.arange(32, dtype=np.uint64)
    same = np.fmod(x, 4) == np.fmod(x[3], 4)  # C's remainder
    assert out.get().tolist() == [bits[x > 0].sum(), 0, 1, bits[same].sum(), (x > 0).sum(), 1, 0]


@pytest.mark.parametrize("n", [5, 20_000])
def test_dynamic_shared_memory(kernels, n):
    x = np.arange(n, dtype=np.int32)
    device = xp.asarray(x)
    reverse = kernels.get_function("reverse_dynamic")
    reverse.max_dynamic_shared_size_bytes = 80_000
    reverse((1,), (128,), (device, i32(n)), shared_mem=4 * n)
    np.testing.assert_array_equal(device.get(), x[::-1])


def test_each_template_instance_has_its_own_shared_variables(launch):
    out = xp.empty(64, np.int32)
    launch("instances", 1, 64, out)
    assert (out.get() == 71 * 1000 + 83).all()


def test_atomics(launch, workers):
    workers(2)
    x, counts = rng.integers(0, 256, 50_000).astype(np.uint8), xp.zeros(256, np.int32)
    launch("histogram", 16, 128, counts, xp.asarray(x), i32(x.size))
    np.testing.assert_array_equal(counts.get(), np.bincount(x, minlength=256))
    i, f, u, big, h = (xp.zeros(n, t) for n, t in [(2, "i4"), (1, "f4"), (3, "u4"), (1, "u8"), (1, "f2")])
    launch("atomics", 1, 32, i, f, u, big, h)
    assert i.tolist() == [31, -31] and f.item() == 16 and h.item() == 32
    assert u.tolist() == [32 % 10, 2**32 - 1, 77] and big.item() == 1


def test_last_block_sees_what_all_blocks_wrote(launch, workers):
    workers(2)
    x = floats(500)
    out, sums, done = xp.empty(1, np.float32), xp.empty(500, np.float32), xp.zeros(1, np.uint32)
    launch("last_block", 500, 32, out, sums, done, xp.asarray(x))
    np.testing.assert_allclose(out.item(), 2 * x.sum(dtype=np.float64), rtol=1e-4)


def test_threads_that_wait_for_each_other_by_atomics(launch):
    lock, count = xp.zeros(1, np.int32), xp.zeros(1, np.int32)
    launch("spin_lock", 1, 64, lock, count)
    assert count.item() == 64


def test_cp_async(launch):
    x, out = floats(1024), xp.empty(32, np.float32)
    launch("pipeline", 1, 32, out, xp.asarray(x), i32(1024))
    want = x.reshape(8, 32, 4).sum((0, 2))[::-1]
    np.testing.assert_allclose(out.get(), want, rtol=1e-4, atol=1e-4)
    launch("no_wait", 1, 32, out, xp.asarray(x))
    assert np.isnan(out.get()).all()  # the copy is late, as it may be on the device


@pytest.mark.parametrize("dtype, name", [(ml_dtypes.bfloat16, "__nv_bfloat16"), (np.float16, "__half")])
def test_tensor_core_tile(launch, dtype, name):
    a, b, d = floats(16, 16).astype(dtype), floats(8, 16).astype(dtype), xp.empty((16, 8), np.float32)
    launch(f"mma_tile<{name}>", 1, 32, d, xp.asarray(a), xp.asarray(b))
    np.testing.assert_allclose(d.get(), a.astype(float) @ b.astype(float).T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("k", [64, 200, 256])
def test_hopper_pipeline(launch, k):
    a, b = floats(2, 64, k).astype(ml_dtypes.bfloat16)
    device = [xp.asarray(a), xp.asarray(b)]  # a map does not keep its array
    a_map, b_map = (sim.tensor_map(x, (64, 64), swizzle=128) for x in device)
    out = xp.empty((64, 64), np.float32)
    launch("hopper_product", 1, 128, out, a_map, b_map, i32(k), i32(0), shared_mem=32768)
    want = a.astype(np.float32) @ b.astype(np.float32).T
    np.testing.assert_allclose(out.get(), want, rtol=1e-4, atol=1e-3)


# ---- 16-bit numbers ---------------------------------------------------------------------------------------------
HALF = np.arange(65536, dtype=np.uint16).view(np.float16)
BF16 = np.arange(65536, dtype=np.uint16).view(ml_dtypes.bfloat16)


@pytest.fixture(scope="module", params=["hardware", "software"])
def halves(request, kernels):
    """The kernels with the compiler's half type, and with our own code for compilers that have none."""
    if request.param == "hardware":
        return kernels
    return sim.Module(code=KERNELS, name_expressions=EXPRESSIONS, options=("-DGPUNET_SIM_SOFTWARE_HALF",))


def test_decoding_every_16_bit_number(halves):
    f, g = xp.empty(65536, np.float32), xp.empty(65536, np.float32)
    halves.get_function("decode")((256,), (256,), (f, g, xp.asarray(HALF), xp.asarray(BF16)))
    np.testing.assert_array_equal(f.get(), HALF.astype(np.float32))
    np.testing.assert_array_equal(g.get(), BF16.astype(np.float32))


@pytest.mark.parametrize("dtype, name", [(np.float32, "float"), (np.float64, "double")])
def test_rounding_to_16_bits_around_every_tie(halves, dtype, name):
    values = []
    for numbers in (HALF, BF16):
        with np.errstate(all="ignore"):
            wide = numbers.astype(np.float64)
            exact = np.unique(wide[np.isfinite(wide)])
            ties = (exact[1:] / 2 + exact[:-1] / 2).astype(dtype)
        values += [exact.astype(dtype), ties, np.nextafter(ties, dtype(np.inf)), np.nextafter(ties, dtype(-np.inf))]
    x = np.concatenate([*values, np.array([np.inf, -np.inf, np.nan, 65519.99, 65520, 1e-30], dtype)])
    h, b = xp.empty(x.size, np.float16), xp.empty(x.size, ml_dtypes.bfloat16)
    halves.get_function(f"encode<{name}>")((-(-x.size // 256),), (256,), (h, b, xp.asarray(x), i32(x.size)))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(h.get(), x.astype(np.float16))
    got = b.get().astype(np.float64)
    if dtype == np.float32:
        np.testing.assert_array_equal(got, x.astype(ml_dtypes.bfloat16).astype(np.float64))
    else:  # ml_dtypes rounds doubles twice; CUDA and we once: the result is a nearest bfloat16
        finite = np.isfinite(got) & np.isfinite(x)
        spacing = np.maximum(np.exp2(np.floor(np.log2(np.maximum(np.abs(x[finite]), 1e-300))) - 7), 2.0**-133)
        assert (np.abs(got[finite] - x[finite]) <= spacing / 2).all()


def test_half_arithmetic_rounds_once(halves):
    n = 20_000
    a, b = np.random.default_rng(1).integers(0, 65536, (2, n)).astype(np.uint16).view(np.float16)
    out = xp.empty((4, n), np.float16)
    halves.get_function("half_arithmetic")((-(-n // 256),), (256,), (out, xp.asarray(a), xp.asarray(b), i32(n)))
    got = out.get()
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got[:3], np.stack([a + b, a * b, a / b]))
        above, below = np.nextafter(got[3], np.float16(np.inf)), np.nextafter(got[3], np.float16(-np.inf))
        near = np.isfinite(a) & np.isfinite(b) & np.isfinite(above) & np.isfinite(below)
    for i in np.flatnonzero(near)[:4000]:
        exact = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(a[i]))
        error, *others = (abs(Fraction(float(x[i])) - exact) for x in (got[3], above, below))
        assert error <= min(others)
        assert error < min(others) or got[3].view(np.uint16)[i] % 2 == 0


# ---- numbers and geometry ---------------------------------------------------------------------------------------
def test_contraction_can_be_turned_off():
    code = """extern "C" __global__ void f(float* out, float a, float b, float c) {
        out[0] = a * b + c, out[1] = __fmul_rn(a, b) + c;
    }"""
    a = np.float32(1 + 2**-12)
    out = xp.empty(2, np.float32)
    unfused, fused = np.float32(0), np.float32(2.0**-24)  # a * a - round(a * a)
    c = -(a * a)
    sim.Module(code=code, options=("-fmad=false",)).get_function("f")((1,), (1,), (out, a, a, c))
    assert out.get().tolist() == [unfused, unfused]
    sim.Module(code=code).get_function("f")((1,), (1,), (out, a, a, c))
    assert out[0].item() in (unfused, fused) and out[1].item() == unfused


def test_intrinsics(launch):
    u, f, i = xp.empty(7, np.uint32), xp.empty(4, np.float32), xp.empty(4, np.int32)
    launch("intrinsics", 1, 1, u, f, i, np.float32(np.nan))
    assert u.tolist() == [8, 31, 0x80000000, 0x88664422, 3, 3, 4]
    assert i.tolist() == [2, -(2**31), -1, 0]
    assert f.tolist() == [0.5, 1, 1, np.inf]


def test_every_kind_of_parameter(launch):
    out = xp.empty(11, np.float64)
    pair = np.zeros((), np.dtype([("first", "i4"), ("second", "f8")], align=True))
    pair["first"], pair["second"] = 8, 9.5
    launch("every_kind", 1, 1, out, True, np.int8(-1), np.int16(-2), np.uint32(3), 2**40, np.float32(0.1), 0.2,
           np.float16(7), pair[()], None)
    assert out.tolist() == [1, -1, -2, 3, 2**40, np.float32(0.1), 0.2, 7, 8, 9.5, 1]


def test_geometry_namespaces_and_constants(launch):
    out = xp.empty((2 * 3 * 4, 5 * 2 * 3), np.int32)
    launch("geometry", (2, 3, 4), (5, 2, 3), out)
    thread = np.arange(30)
    np.testing.assert_array_equal(out.get(), np.arange(24)[:, None] * 100 + thread + thread % 3 + 1)
    launch("inner::in_namespace", 1, 1, out)
    assert out[0, 0].item() == 5


def test_results_do_not_depend_on_the_number_of_workers(launch, workers):
    x = xp.asarray(floats(200_000))
    results = []
    for count in (1, 2, 3):
        workers(count)
        out = xp.empty(97, np.float32)
        launch("block_sums", 97, 256, out, x, i32(x.size))
        results.append(out.get())
    assert (results[0] == results[1]).all() and (results[0] == results[2]).all()


def test_a_forked_child_can_launch(launch, workers):
    workers(2)
    x, out = xp.asarray(floats(100_000)), xp.empty(64, np.float32)
    launch("block_sums", 64, 256, out, x, i32(x.size))  # the pool's threads exist now, and will not in the child
    want = out.get()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for _ in range(3):
                launch("block_sums", 64, 256, out, x, i32(x.size))
            status = int((out.get() != want).any())
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    launch("block_sums", 64, 256, out, x, i32(x.size))
    assert (out.get() == want).all()


def test_threads_launch_at_once(launch):
    from concurrent.futures import ThreadPoolExecutor

    def work(seed):
        a = xp.full(5000, seed, np.float32)
        out = xp.empty(5000, np.float32)
        for _ in range(20):
            launch("add<float>", 20, 256, out, a, a, i32(5000))
        return bool((out.get() == 2 * seed).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
