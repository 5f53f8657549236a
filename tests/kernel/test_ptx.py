"""Each wrapper of kernels/ptx.cuh and wgmma.cuh by itself, on the simulator and on the GPU, against what NumPy expects.

So the simulator's meaning of an instruction is held against the hardware's wherever these tests run on one.
"""

import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import gpunet
from gpunet import sim
from gpunet.kernel import Kernel, nvrtc, source
from gpunet.kernel.tensor_map import map_of, tensor_map

FOLDER = Path(__file__).with_name("ptx")
# First architecture that has all of a file's instructions.
FIRST = {"copies.cu": 75, "matrices.cu": 90, "hopper.cu": 90, "wgmma.cu": 90}
THREADS = 64
SOME_SIZES = (8, 24, 80, 128, 256)  # of wgmma's 32, which one macro makes
WGMMA_TYPES = {"bf16": "__nv_bfloat16", "f16": "__half", "tf32": "float"}
bf16, f16, f32 = ml_dtypes.bfloat16, np.float16, np.float32


def expression_of(wrapper, turned=(False, False)):
    """The kernel that uses a wrapper, as (file, name expression). turned: which operands of wgmma are."""
    if wrapper.startswith(("ldmatrix", "stmatrix")):
        transposed = "true" if wrapper.endswith("trans") else "false"
        return "matrices.cu", f"use_{wrapper[:8]}<{wrapper[10]},{transposed}>"
    if wrapper.startswith("mma_"):
        return "matrices.cu", f"use_mma<{wrapper}_>"
    if found := re.match(r"wgmma_m64n(\d+)k\d+_(\w+)", wrapper):
        types = found.group(1), WGMMA_TYPES[found.group(2)], *(str(each).lower() for each in turned)
        return "wgmma.cu", f"use_wgmma<{','.join(types)}>"
    if wrapper.startswith("wgmma_left"):
        return "wgmma.cu", f"use_wgmma_left<{wrapper[10:]}>"
    file = next(name for name in FIRST if f" use_{wrapper}(" in (FOLDER / name).read_text())
    return file, f"use_{wrapper}"


def device_of(gpu, file):
    device = gpunet.devices.get(gpu)
    if gpu == "cuda" and int(device.xp.cuda.Device().compute_capability) < FIRST[file]:
        pytest.skip(f"needs compute capability {FIRST[file] / 10}")
    return device


def run(gpu, wrapper, *arguments, block=THREADS, shared=0, turned=(False, False)):
    """Launches use_<wrapper> with one block. NumPy arrays are copied to the device; types and shapes ask for an output,
    and these are returned. A function gets the device and gives an argument."""
    file, expression = expression_of(wrapper, turned)
    device = device_of(gpu, file)
    arrays, outputs = [], []
    for argument in arguments:
        if isinstance(argument, np.ndarray) and argument.ndim:  # a descriptor, which has none, is passed as it is
            arrays.append(device.from_host(argument))
        elif isinstance(argument, tuple):
            dtype, *shape = argument
            array = device.empty(tuple(shape), dtype)
            array.fill(77)  # poison: every element must be written
            arrays.append(array)
            outputs.append(array)
        else:
            arrays.append(argument(device) if callable(argument) else argument)
    name, templated, rest = expression.partition("<")
    kernel = Kernel(FOLDER / file, name).on(device, *(rest[:-1].split(",") if templated else ()))
    kernel(1, block, *arrays, shared=shared)
    device.synchronize()
    return [array.get() for array in outputs]


# ---- addresses, cp.async, named barriers ---------------------------------------------------------------------------
def smem_u32(gpu, wrapper):
    distances, values = run(gpu, wrapper, (np.uint32, 64), (np.int32, 64))
    np.testing.assert_array_equal(distances, 4 * np.arange(64))
    np.testing.assert_array_equal(values, 1000 + np.arange(64)[::-1])


def fma_f32x2(gpu, wrapper):
    """Rounded once: the products of numbers next to 1 end in the 46th bit, and c takes what comes before it away."""
    x, y = (1 + np.random.default_rng(seed).integers(-9999, 9999, 128) * f32(2**-23) for seed in (0, 1))
    z = -(x * y)
    (out,) = run(gpu, wrapper, (f32, 128), x.astype(f32), y.astype(f32), z.astype(f32))
    exact = x.astype(f32).astype(float) * y.astype(f32) + z.astype(f32)
    assert (out == exact).all() and np.count_nonzero(out) > 100


def copies(gpu, wrapper):
    """Copies from anywhere in x in any order; those that are not valid give zeros, and may not read."""
    width = int(wrapper.removeprefix("cp_async").removesuffix("_cached")) // 4
    random = np.random.default_rng(0)
    x = random.standard_normal((200, width)).astype(np.float32)
    places, valid = random.permutation(200)[:THREADS], random.random(THREADS) < 0.7
    outside = np.where(valid, places, 2**40)
    (out,) = run(gpu, wrapper, (np.float32, THREADS, width), x, outside.astype(np.int64), valid)
    np.testing.assert_array_equal(out, np.where(valid[:, None], x[places], 0)[::-1])


def cp_async_commit(gpu, wrapper):
    x = np.random.default_rng(0).standard_normal((3, THREADS)).astype(np.float32)
    (out,) = run(gpu, wrapper, (np.float32, 2, THREADS), x)
    np.testing.assert_array_equal(out, [x[0], x[1] + x[2]])


def cp_async_wait(gpu, wrapper):
    x = np.random.default_rng(0).standard_normal((4, THREADS)).astype(np.float32)
    (out,) = run(gpu, wrapper, (np.float32, 4, THREADS), x)
    np.testing.assert_array_equal(out, x)


def bar_sync(gpu, wrapper):
    np.testing.assert_array_equal(run(gpu, wrapper, (np.int32, 64))[0], 31 - np.arange(64) % 32)


def bar_arrive(gpu, wrapper):
    np.testing.assert_array_equal(run(gpu, wrapper, (np.int32, 64))[0], 100 + np.arange(64))


# ---- matrices ------------------------------------------------------------------------------------------------------
def lane_elements(transposed):
    """For each lane its two (row, column) of an 8x8 matrix."""
    lane = np.arange(32)
    near, pair = lane // 4, lane % 4 * 2
    row, column = np.stack([near, near], 1), np.stack([pair, pair + 1], 1)
    return (column, row) if transposed else (row, column)


def ldmatrix(gpu, wrapper):
    count = int(re.search(r"x(\d)", wrapper).group(1))
    x = np.random.default_rng(1).integers(0, 2**16, (count, 8, 8)).astype(np.uint16)
    (registers,) = run(gpu, wrapper, (np.uint32, 32, count), x, block=32)
    row, column = lane_elements(wrapper.endswith("trans"))
    want = np.stack([m[row, column] for m in x], 1)  # [lane][matrix][2]
    np.testing.assert_array_equal(registers.view(np.uint16).reshape(32, count, 2), want)


def stmatrix(gpu, wrapper):
    count = int(re.search(r"x(\d)", wrapper).group(1))
    registers = np.random.default_rng(1).integers(0, 2**32, (32, count)).astype(np.uint32)
    (x,) = run(gpu, wrapper, (np.uint16, count, 8, 8), registers, block=32)
    row, column = lane_elements(wrapper.endswith("trans"))
    want = np.empty_like(x)
    for i in range(count):
        want[i][row, column] = registers.view(np.uint16).reshape(32, count, 2)[:, i]
    np.testing.assert_array_equal(x, want)


def fragments(a, b, c, per_register):
    """Matrices a [16][k], b [k][8], c [16][8] as the lanes hold them: [lane][register][element]."""
    lane = np.arange(32)[:, None, None]
    group, pair = lane // 4, lane % 4
    k = a.shape[1]
    element = np.arange(per_register)[None, None, :]
    r = np.arange(k // (2 * per_register))[None, :, None]
    half_k = 4 * per_register  # columns of a that four lanes' registers hold together
    a_part = a[group + r % 2 * 8, pair * per_register + element + r // 2 * half_k]
    r = np.arange(k // (4 * per_register))[None, :, None]
    b_part = b[pair * per_register + element + r * half_k, group]
    i = np.arange(2)[None, :, None]
    c_part = c[group + i * 8, pair * 2 + np.arange(2)[None, None, :]]
    return a_part, b_part, c_part


def mma(gpu, wrapper):
    _, name, shape, *sums = wrapper.split("_")
    k = {"16816": 16, "1688": 8, "1684": 4}[shape]
    dtype = {"bf16": bf16, "f16": f16, "tf32": f32}[name]
    random = np.random.default_rng(2)
    a, b, c = (random.standard_normal(s) for s in ((16, k), (k, 8), (16, 8)))
    a, b, c = a.astype(dtype), b.astype(dtype), c.astype(f16 if sums else f32)
    a_part, b_part, c_part = (np.ascontiguousarray(x) for x in fragments(a, b, c, 1 if name == "tf32" else 2))
    as_words = [x.view(np.uint32).reshape(32, -1) for x in (a_part, b_part)]
    c_words = c_part.view(np.uint32 if sums else f32).reshape(32, -1)
    (d,) = run(gpu, wrapper, (c_words.dtype, *c_words.shape), c_words, *as_words, block=32)
    if name == "tf32":
        a, b = ((x.view(np.uint32) & 0xffffe000).view(f32) for x in (a, b))
    want = fragments(a, b, a.astype(float) @ b.astype(float) + c, 1)[2]
    tolerance = 2e-2 if sums else 1e-5
    got = d.view(f16 if sums else f32).reshape(32, 2, 2).astype(float)
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


# ---- mbarriers -----------------------------------------------------------------------------------------------------
def mbar_phases(gpu, _):
    (out,) = run(gpu, "mbar_wait", (np.int32, 3, 64))
    np.testing.assert_array_equal(out, 100 * np.arange(3)[:, None] + 63 - np.arange(64))


def mbar_questions(gpu, _):
    (out,) = run(gpu, "mbar_test_wait", (np.int32, 8))
    assert out.tolist() == [0, 1, 0, 1, 1, 0, 0, 1]  # before the first phase has ended, the one before it has


def mbar_try_wait(gpu, wrapper):
    assert run(gpu, wrapper, (np.int32, 1))[0].item() == 63


# ---- bulk copies ---------------------------------------------------------------------------------------------------
def tma_load_1d(gpu, _):
    x = np.random.default_rng(0).standard_normal(200).astype(f32)
    (out,) = run(gpu, "tma_load_1d", (f32, 64), x, 100)
    np.testing.assert_array_equal(out, x[100:164])


def tma_store_1d(gpu, _):
    x = np.random.default_rng(0).standard_normal(64).astype(f32)
    (out,) = run(gpu, "tma_store_1d", (f32, 2, 64), x)
    np.testing.assert_array_equal(out, [x, 2 * x])


def swizzled(box, swizzle):
    """A box's rows as shared memory holds them: 16-byte columns mixed with bits 7 and up of the address."""
    data = np.ascontiguousarray(box).view(np.uint8).ravel()
    place = np.arange(data.size)
    place ^= (place >> 7 & max(swizzle // 16 - 1, 0)) << 4
    result = np.empty_like(data)
    result[place] = data
    return result


def box_map_of(gpu, array, box, swizzle):
    return (sim.tensor_map if gpu == "sim" else tensor_map)(array, box, swizzle)


# swizzle, columns, type, x, y; some of them reach outside of the array
BOXES = [(0, 64, np.uint16, 0, 0), (128, 64, np.uint16, 8, 3), (64, 32, np.uint16, 40, 9), (32, 8, f32, -5, -3),
         (128, 32, f32, 30, 17)]


def tma_load_2d(gpu, wrapper):
    for swizzle, columns, dtype, x, y in BOXES:
        array = np.random.default_rng(0).integers(1, 1000, (24, 72)).astype(dtype)
        padded = np.pad(array, 100)
        box = padded[100 + y:116 + y, 100 + x:100 + x + columns]
        device = device_of(gpu, "hopper.cu")
        on_device = device.from_host(array)
        box_map = box_map_of(gpu, on_device, (16, columns), swizzle)
        (out,) = run(gpu, wrapper, (np.uint8, box.nbytes), box_map, box.nbytes, x, y, shared=box.nbytes)
        np.testing.assert_array_equal(out, swizzled(box, swizzle), err_msg=f"swizzle {swizzle}")


def tma_load_4d(gpu, wrapper):
    """Of [outer][inner] matrices that lie between each other; what is outside of any dimension is 0."""
    memory = np.random.default_rng(0).integers(1, 1000, (2, 24, 3, 40)).astype(np.uint16)
    device = device_of(gpu, "hopper.cu")
    on_device = device.from_host(memory)
    box_map = map_of(on_device, (40, 24, 3, 2), (240, 80, 5760), (32, 16), 64)
    for x, y, z, w in [(0, 0, 0, 0), (16, 3, 2, 1), (-8, 17, 1, 1), (0, 0, 3, 0), (0, 0, 0, 2), (0, 0, -1, 0)]:
        inside = 0 <= z < 3 and 0 <= w < 2
        padded = np.pad(memory[w, :, z] if inside else np.zeros((24, 40), np.uint16), 50)
        box = padded[50 + y:66 + y, 50 + x:82 + x]
        (out,) = run(gpu, wrapper, (np.uint8, box.nbytes), box_map, box.nbytes, x, y, z, w, shared=box.nbytes)
        np.testing.assert_array_equal(out, swizzled(box, 64), err_msg=f"box at {x, y, z, w}")
    rounds_to_tf32(gpu, wrapper)


def rounds_to_tf32(gpu, wrapper):
    """To the nearest, in the middle to the even one; what is not finite stays."""
    numbers, unit = np.random.default_rng(0).standard_normal((16, 32)).astype(f32), 2.0**-10
    numbers[0, :8] = 1 + unit / 2, 1 + unit * 1.5, -1 - unit / 2, 2 - unit / 4, 3.4028e38, np.inf, np.nan, 1e-40
    bits = numbers.view(np.uint32)
    rounded = np.where(np.isfinite(numbers), bits + 0xFFF + (bits >> 13 & 1) & 0xFFFFE000, bits).astype(np.uint32)
    assert rounded.view(f32)[0, :5].tolist() == [1, 1 + unit * 2, -1, 2, np.inf]
    on_device = device_of(gpu, "hopper.cu").from_host(numbers)
    box_map = map_of(on_device, (32, 16, 1, 1), (128, 16, 16), (32, 16), 128, tf32=True)
    (out,) = run(gpu, wrapper, (np.uint8, 2048), box_map, 2048, 0, 0, 0, 0, shared=2048)
    np.testing.assert_array_equal(out, swizzled(rounded, 128))


def clusters(gpu, _):
    (out,) = run(gpu, "mbar_arrive_cluster", (np.int32, 64))
    np.testing.assert_array_equal(out, 100 * np.arange(64)[::-1])


def ld_cluster_f32(gpu, wrapper):
    np.testing.assert_array_equal(run(gpu, wrapper, (f32, 64))[0], np.arange(64)[::-1])


def tma_store_2d(gpu, wrapper):
    for swizzle, columns, dtype, x, y in BOXES:
        content = np.random.default_rng(0).integers(1, 1000, (16, columns)).astype(dtype)
        want = np.zeros((224, 272), dtype)
        want[100 + y:116 + y, 100 + x:100 + x + columns] = content
        device = device_of(gpu, "hopper.cu")
        on_device = device.from_host(np.zeros((24, 72), dtype))
        box_map = box_map_of(gpu, on_device, (16, columns), swizzle)
        run(gpu, wrapper, swizzled(content, swizzle), box_map, content.nbytes, x, y, shared=content.nbytes)
        np.testing.assert_array_equal(on_device.get(), want[100:124, 100:172], err_msg=f"swizzle {swizzle}")


def setmaxnreg(gpu, _):
    np.testing.assert_array_equal(run(gpu, "setmaxnreg_inc", (np.int32, 256), block=256)[0], np.arange(256))


# ---- wgmma ---------------------------------------------------------------------------------------------------------
def operand(matrix, swizzle, turned):
    """An operand [rows][k] as shared memory holds it, and how far it is from one product's k to the next's."""
    rows, k = matrix.shape
    each = 16 // matrix.itemsize
    if swizzle and not turned:
        return swizzled(matrix, swizzle), 32
    if swizzle:  # boxes whose rows are as wide as the swizzle
        wide = swizzle // 2
        columns = np.pad(matrix, [(0, -rows % wide), (0, 0)]).T
        return np.concatenate([swizzled(columns[:, i:i + wide], swizzle) for i in range(0, rows, wide)]), 16 * swizzle
    cores = matrix.reshape(rows // 8, 8, k // each, each).transpose(*((0, 2, 3, 1) if turned else (0, 2, 1, 3)))
    return np.ascontiguousarray(cores).view(np.uint8).ravel(), 256  # cores of 8 rows of 16 bytes, one after the other


def sums_by_thread(d):
    """d [64][n] as the 128 threads hold it."""
    thread = np.arange(128)[:, None]
    i = np.arange(d.shape[1] // 2)
    return d[thread // 32 * 16 + thread % 32 // 4 + i // 2 % 2 * 8, i // 4 * 8 + thread % 4 * 2 + i % 2]


def wgmma(gpu, wrapper):
    n = int(re.search(r"n(\d+)k", wrapper).group(1))
    if gpu == "sim" and n not in SOME_SIZES:
        return  # building each of them would take long
    dtype = {"bf16": bf16, "f16": f16, "tf32": f32}[wrapper.split("_")[-1]]
    swizzle, itemsize = (128, 64, 32, 0)[n // 8 % 4], np.dtype(dtype).itemsize
    k = (swizzle or 64) // itemsize
    random = np.random.default_rng(n)
    a, b = random.standard_normal((64, k)).astype(dtype), random.standard_normal((n, k)).astype(dtype)
    leading, stride = (k * swizzle, 8 * swizzle) if swizzle else (128, 8 * k * itemsize)
    which = (True, True) if dtype is bf16 else (True, False) if n % 32 == 8 else (False, True)
    if dtype is f32:
        which, wide = (False, False), [(x.view(np.uint32) & 0xFFFFE000).view(f32) for x in (a, b)]
    else:
        wide = [x.astype(f32) for x in (a, b)]
    if gpu == "sim" and (n >= 80) != (dtype is bf16):
        which = (False, False)  # the other type's, of the same swizzle, stand for them
    for turned in dict.fromkeys(((False, False), which)):
        (a_raw, a_step), (b_raw, b_step) = operand(a, swizzle, turned[0]), operand(b, swizzle, turned[1])
        (out,) = run(gpu, wrapper, (f32, 128, n // 2), a_raw, b_raw, a_raw.size, b_raw.size, leading, stride, swizzle,
                     a_step, b_step, k * itemsize // 32, block=128, shared=a_raw.size + b_raw.size, turned=turned)
        np.testing.assert_allclose(out, sums_by_thread(wide[0] @ wide[1].T), rtol=1e-4, atol=1e-4,
                                   err_msg=f"turned {turned}, swizzle {swizzle}")
    if dtype is f32 and (gpu != "sim" or n in SOME_SIZES[1::2]):
        left_in_registers(gpu, n, a[:, :8], b[:, :8])


def left_in_registers(gpu, n, a, b):
    """Register r of a thread: k's second half with r / 2, the row 8 below with r % 2."""
    thread, r = np.arange(128)[:, None], np.arange(4)
    registers = a[thread // 32 * 16 + thread % 32 // 4 + r % 2 * 8, r // 2 * 4 + thread % 4].view(np.uint32)
    right, _ = operand(b, 0, False)
    (out,) = run(gpu, f"wgmma_left{n}", (f32, 128, n // 2), registers, right, right.size, 128, 256, 0, block=128,
                 shared=right.size)
    x, y = ((each.copy().view(np.uint32) & 0xFFFFE000).view(f32) for each in (a, b))
    np.testing.assert_allclose(out, sums_by_thread(x @ y.T + 1), rtol=1e-4, atol=1e-4)


def wgmma_desc_sw128(gpu, wrapper):
    random = np.random.default_rng(0)
    a, b = random.standard_normal((64, 64)).astype(bf16), random.standard_normal((8, 64)).astype(bf16)
    (out,) = run(gpu, wrapper, (f32, 128, 4), swizzled(a, 128), swizzled(b, 128), block=128, shared=9216)
    want = a[:, :16].astype(f32) @ b[:, :16].astype(f32).T
    np.testing.assert_allclose(out, sums_by_thread(want), rtol=1e-4, atol=1e-4)


def wgmma_queue(gpu, _):
    wgmma(gpu, "wgmma_m64n8k16_bf16")


def tf32_of(gpu, wrapper):
    """10 bits of fraction, rounded to the nearest, in the middle away from 0; the largest numbers become infinite."""
    unit = 2.0**-10
    given = [0.0, -0.0, 1.0, 1 + unit, 1 + unit / 2, -1 - unit / 2, 1 + unit * 0.499, 3 + unit * 1.5, 3.4028e38, np.inf,
             -np.inf, 1e-40]
    expected = [0.0, -0.0, 1.0, 1 + unit, 1 + unit, -1 - unit, 1.0, 3 + unit * 2, np.inf, np.inf, -np.inf,
                np.round(1e-40 / 2.0**-136) * 2.0**-136]
    x = np.array([*given, np.nan] + [0.0] * 19, np.float32)
    (bits,) = run(gpu, wrapper, (np.uint32, 32), x, block=32)
    found = bits.view(np.float32)
    np.testing.assert_array_equal(found[:12], np.array(expected, np.float32))
    np.testing.assert_array_equal(np.signbit(found[:12]), np.signbit(x[:12]))
    assert np.isnan(found[12]) and not (bits[:12] & 0x1FFF).any()


TESTS = {
    **{f.__name__: f for f in (smem_u32, fma_f32x2, cp_async_commit, cp_async_wait, bar_sync, bar_arrive, mbar_try_wait,
                               tma_load_1d, tma_store_1d, tma_load_2d, tma_load_4d, tma_store_2d, ld_cluster_f32,
                               wgmma_desc_sw128)},
    **dict.fromkeys(("cp_async4", "cp_async8", "cp_async16", "cp_async16_cached"), copies),
    **{f"ldmatrix_x{n}{t}": ldmatrix for n in (1, 2, 4) for t in ("", "_trans")},
    **{f"stmatrix_x{n}{t}": stmatrix for n in (1, 2, 4) for t in ("", "_trans")},
    **dict.fromkeys(("mma_bf16_16816", "mma_f16_16816", "mma_f16_16816_f16", "mma_bf16_1688", "mma_f16_1688",
                     "mma_f16_1688_f16", "mma_tf32_1688", "mma_tf32_1684"), mma),
    **dict.fromkeys(("mbar_init", "mbar_arrive", "mbar_wait", "mbar_fence_init"), mbar_phases),
    **dict.fromkeys(("mbar_test_wait", "mbar_inval"), mbar_questions),
    "tf32_of": tf32_of,
    "mbar_expect_tx": tma_load_1d, "tma_load_4d_multicast": tma_load_4d,
    **dict.fromkeys(("cluster_rank", "cluster_sync", "mbar_arrive_cluster", "mbar_wait_cluster"), clusters),
    **dict.fromkeys(("fence_proxy_async", "tma_commit", "tma_wait_read", "tma_wait"), tma_store_1d),
    **dict.fromkeys(("setmaxnreg_inc", "setmaxnreg_dec"), setmaxnreg),
    **{f"wgmma_m64n{n}{name}": wgmma for n in range(8, 257, 8) for name in ("k16_bf16", "k16_f16", "k8_tf32")},
    **dict.fromkeys(("wgmma_fence", "wgmma_commit", "wgmma_wait", "wgmma_descriptor", "wgmma_sums"), wgmma_queue),
}  # fmt: skip


@pytest.mark.parametrize("wrapper", TESTS)
def test_wrapper(gpu, wrapper):
    TESTS[wrapper](gpu, wrapper)


def test_every_wrapper_has_a_test():
    text = source.read("ptx.cuh").text + source.read("wgmma.cuh").text
    pattern = r"^__device__ __forceinline__ [\w\s*&:<>]*?\b(\w+)\("
    wrappers = set(re.findall(pattern, text, re.MULTILINE))
    wrappers |= {f"wgmma_m64n{n}{name}" for n in re.findall(r"^GPUNET_WGMMA\((\d+),", text, re.MULTILINE)
                 for name in ("k16_bf16", "k16_f16", "k8_tf32")}
    assert wrappers, "no wrapper was found in ptx.cuh"
    assert wrappers == set(TESTS)


@pytest.mark.parametrize("file, capability", [("copies.cu", 75), ("copies.cu", 80), ("copies.cu", 100),
                                              ("matrices.cu", 90), ("matrices.cu", 100), ("hopper.cu", 90),
                                              ("hopper.cu", 100),
                                              pytest.param("wgmma.cu", 90, marks=pytest.mark.slow)])
def test_these_kernels_compile_for_the_gpu(file, capability):
    try:
        arch = nvrtc.architecture(capability)
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
    names = set()
    for wrapper in TESTS:
        n = re.match(r"wgmma_m64n(\d+)k", wrapper)
        if n and int(n.group(1)) not in SOME_SIZES:
            continue
        try:
            found, name = expression_of(wrapper)
        except StopIteration:
            continue  # used by another wrapper's kernel
        if found == file:
            names.add(name)
            if file == "wgmma.cu":
                names.add(expression_of(wrapper, (True, True))[1])
    program = nvrtc.compile(source.read(FOLDER / file), arch, tuple(sorted(names)))
    assert names and "warning" not in program.log, program.log
