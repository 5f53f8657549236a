"""Kernels of the kinds that users have (users.cu), plain and checked, against NumPy."""

from pathlib import Path

import numpy as np
import pytest

from gpunet import ptx

rng = np.random.default_rng(0)
i32, f32, f64 = np.int32, np.float32, np.float64
N = 500
X, Y = rng.standard_normal((2, N)).astype(f32)
I = rng.integers(-9, 9, N).astype(i32)  # noqa: E741
D = rng.standard_normal(96)
LONG = rng.integers(-2**63, 2**63 - 1, 64)
LONG[:4] = 0, -1, 2**62, -2**63
BY = rng.integers(0, 64, 64).astype(i32)
H, W = rng.standard_normal((2, 2 * N)).astype(np.float16)
IMAGE = rng.integers(0, 256, (21, 37)).astype(np.uint8)
WORDS = rng.integers(0, 2**32, 64).astype(np.uint32)
ROWS = rng.standard_normal((64, 6))
BYTES = rng.integers(0, 256, 3000).astype(np.uint8)
SQUARE = rng.standard_normal((32, 32)).astype(f32)
PAIR = np.dtype({"names": ["tag", "weight", "by"], "formats": ["i1", "f8", ("i2", (3,))], "offsets": [0, 8, 16],
                 "itemsize": 24})


def pair():
    value = np.zeros((), PAIR)
    value["tag"], value["weight"], value["by"] = -3, 1.25, [5, 6, 7]
    return value[()]


def tiles():
    i, padded = np.arange(512), np.zeros(512)
    padded[:N] = X
    return (padded.reshape(-1, 8).sum(1).repeat(8) + i % 8 + 100 * (i % 128 // 8) + 4 + 1000 * (i < 8))[:N]


def shifted():
    def wrapped(value):
        return (value + 2**63) % 2**64 - 2**63

    for v, by in zip(map(int, LONG), map(int, BY), strict=True):
        bits = v % 2**64
        yield wrapped(v << by)
        yield v >> by
        yield 64 - bits.bit_length() + 100 * bits.bit_count() + 10000 * (bits & -bits).bit_length()
        yield v * wrapped(v ^ 0x123456789ABCDEF) >> 64


def shifted_without_sign():
    for v, by in zip((int(each) % 2**64 for each in LONG), map(int, BY), strict=True):
        yield from (v >> by, v * 0xFEDCBA9876543210 >> 64, (v // (by + 1) + v % (by + 3)) % 2**64)


def halves():
    v = np.maximum((H.astype(f64) * W + 0.5).astype(np.float16), np.float16(0)).reshape(-1, 2)
    return v + v[:, ::-1]


def blurred():
    padded = np.pad(IMAGE.astype(int), 1, mode="edge")
    return sum(padded[a:a + 21, b:b + 37] for a in range(3) for b in range(3)) // 9


def ackermann(m, n):
    return n + 1 if m == 0 else ackermann(m - 1, 1) if n == 0 else ackermann(m - 1, ackermann(m, n - 1))


def of_inline_ptx():
    for t, v in enumerate(map(int, WORDS)):
        lane = t % 32
        s = max(v >> 4 & 255, lane)
        parts = [each >> 8 * k & 255 for each in (s, v) for k in range(4)]
        permuted = sum(parts[0x5140 >> 4 * k & 7] << 8 * k for k in range(4))
        yield (permuted + int(f"{v:032b}"[::-1], 2) + ((s << 32 | v) << lane >> 32)) & 0xFFFFFFFF


def filtered():
    return np.convolve(X[:64].astype(f64), [0.1, 0.2, 0.4, 0.2, 0.1], "same")[::-1] + 8


# name: grid, block, arguments, expected by argument, tolerance, dynamic shared memory
CASES = {
    "saxpy": ((3,), (64,), lambda: (Y.copy(), X, f32(2), i32(N)), {0: lambda: 2 * X + Y}, 1e-6, 0),
    "keep_positive": ((4,), (128,), lambda: (np.zeros((I > 0).sum(), i32), np.zeros(1, i32), I, i32(N)),
                      {0: lambda: np.sort(I[I > 0]), 1: lambda: [(I > 0).sum()]}, 0, 0),
    "block_scan": ((4,), (128,), lambda: (np.zeros(N, i32), I, i32(N)),
                   {0: lambda: np.concatenate([np.cumsum(I[at:at + 128]) for at in range(0, N, 128)])}, 0, 0),
    "tiles": ((4,), (128,), lambda: (np.zeros(N, f32), X, i32(N)), {0: tiles}, 1e-4, 0),
    "reversed": ((1,), (96,), lambda: (np.zeros(96), D, i32(96)), {0: lambda: D[::-1]}, 0, 96 * 10),
    "by_value": ((1,), (40,), lambda: (np.zeros(40), pair(), np.zeros(40, PAIR)),
                 {0: lambda: -3.75 + np.array([5, 6, 7])[np.arange(40) % 3] + np.arange(40)}, 0, 0),
    "shifts": ((1,), (64,), lambda: (np.zeros(256, np.int64), np.zeros(192, np.uint64), LONG, BY),
               {0: lambda: list(shifted()), 1: lambda: np.array(list(shifted_without_sign()), np.uint64)}, 0, 0),
    "halves": ((4,), (128,), lambda: (np.zeros(2 * N, np.float16), H, W, i32(N)), {0: halves}, 0, 0),
    "blur": ((3, 3), (16, 8), lambda: (np.zeros((21, 37), np.uint8), IMAGE, i32(37), i32(21)), {0: blurred}, 0, 0),
    "recursive": ((1,), (24,), lambda: (np.zeros(24, i32),),
                  {0: lambda: [ackermann(t % 3, t // 3) for t in range(24)]}, 0, 0),
    "asserts": ((1,), (32,), lambda: (np.zeros(32, i32), i32(32)), {0: lambda: [32] * 32}, 0, 0),
    "inline_ptx": ((1,), (64,), lambda: (np.zeros(64, np.uint32), WORDS), {0: lambda: list(of_inline_ptx())}, 0, 0),
    "rows<double,6>": ((1,), (64,), lambda: (np.zeros(64), ROWS, i32(64)),
                       {0: lambda: [sum(row[(i + t) % 6] * row[i] for i in range(6)) for t, row in enumerate(ROWS)]},
                       1e-12, 0),
    "filtered": ((1,), (64,), lambda: (np.zeros(64, f32), X[:64].copy(), i32(64)), {0: filtered}, 1e-5, 0),
    "histogram": ((3,), (96,), lambda: (np.zeros(256, np.uint32), BYTES, i32(3000)),
                  {0: lambda: np.bincount(BYTES, minlength=256)}, 0, 0),
    "largest": ((3,), (64,), lambda: (np.zeros(1, f32), X, i32(N)), {0: lambda: [X.max()]}, 0, 0),
    "last_block": ((5,), (32,), lambda: (np.zeros(1, f32), np.zeros(5, f32), np.zeros(1, np.uint32), X, i32(N)),
                   {0: lambda: [X.astype(f64).sum()], 2: lambda: [0]}, 1e-4, 0),
    "transposed": ((1,), (32, 8), lambda: (np.zeros((32, 32), f32), SQUARE), {0: lambda: SQUARE.T}, 0, 0),
}
PRINTED = f"32 text  1.50 c {-2**40} ff\n"


@pytest.fixture(scope="module")
def kernel(compiler):
    """All are compiled at once."""
    compiled = ptx.load(Path(__file__).with_name("users.cu"), "rows<double,6>").ptx

    def of(name):
        return ptx.Kernel(compiled.text, compiled.symbol if "<" in name else name)

    return of


def launched(launch, name, capfd):
    grid, block, arguments, expected, tolerance, shared = CASES[name]
    assert not launch(grid, block, args := arguments(), shared_mem=shared)
    for number, wanted in expected.items():
        found = np.sort(args[0]) if name == "keep_positive" and number == 0 else args[number]
        np.testing.assert_allclose(found, np.reshape(wanted(), found.shape), rtol=tolerance, atol=tolerance)
    assert capfd.readouterr().out == (PRINTED if name == "asserts" else "")


@pytest.mark.parametrize("name", CASES)
def test_results(kernel, name, capfd):
    launched(kernel(name), name, capfd)


QUICK = ("tiles", "by_value", "reversed")  # of the others it takes seconds to compile the checks


@pytest.mark.parametrize("name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow)
                                  for each in CASES])
def test_nothing_is_found(kernel, name, capfd):
    launched(lambda *launch, **how: ptx.check(kernel(name), *launch, **how), name, capfd)


def test_an_assertion_that_fails(kernel):
    with pytest.raises(ptx.LaunchError, match=r"assertion `threadIdx.x < n && \"too many\"` failed at .*users\.cu:\d+, "
                                              r"block \(0, 0, 0\), warp 0, lanes 30-31"):
        kernel("asserts")((1,), (32,), (np.zeros(32, i32), 30))
