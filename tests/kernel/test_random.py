"""Random numbers on the simulator: bit for bit those of gpunet/random.py, and Philox's published answers."""

import ml_dtypes
import numpy as np
import pytest

from gpunet import random
from gpunet.ops import drawing as ops

bits_op, uniform_op, normal_op = ops.bits_op.op.launch, ops.uniform_op.op.launch, ops.normal_op.op.launch
dropout_op, dropout_add, dropout_grad = (operation.op.launch for operation in (
    ops.dropout_op, ops.dropout_add_op, ops.dropout_grad))

SIZES = [1, 2, 3, 4, 5, 127, 1024, 1031, 20011]

# From the known-answer tests of the Random123 distribution (kat_vectors, philox4x32 10): counter, key, words. Only
# counters whose upper half is zero can be reached.
KNOWN_ANSWERS = [(0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8")]


def state(cuda, seed, base):
    return cuda(np.array([seed, base], np.uint64))


@pytest.mark.parametrize("counter, key, words", KNOWN_ANSWERS)
def test_known_answers(cuda, counter, key, words):
    out = cuda.empty(4, np.uint32)
    bits_op(cuda, out, state(cuda, key, counter), shape=(4,), dtype=out.dtype, offset=0)
    assert [f"{word:08x}" for word in out.get()] == words.split()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed, base, offset", [(0, 0, 0), (2**63 + 12345, 2**32 - 2, 1), (7, 2**64 - 3, 2)])
def test_bits(cuda, size, seed, base, offset):
    """Counters run on through 2^32 and wrap around at 2^64."""
    out = cuda.empty(size, np.uint32)
    bits_op(cuda, out, state(cuda, seed, base), shape=(size,), dtype=out.dtype, offset=offset)
    expected = random.words(np.array([seed, base], np.uint64), offset, -(-size // 4)).reshape(-1)[:size]
    np.testing.assert_array_equal(out.get(), expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_and_normal(cuda, size, dtype):
    dtype = np.dtype(dtype)
    out, host = cuda.empty(size, dtype), np.array([42, 17], np.uint64)
    uniform_op(cuda, out, cuda(host), shape=(size,), dtype=dtype, offset=3)
    np.testing.assert_array_equal(out.get(), random.uniform_numbers(host, 3, size, dtype))
    normal_op(cuda, out, cuda(host), shape=(size,), dtype=dtype, offset=3, mean=0.25, std=1.7)
    expected = (0.25 + 1.7 * random.normal_numbers(host, 3, size, dtype)).astype(dtype)
    np.testing.assert_array_equal(out.get(), expected)


def test_moments(cuda):
    out = cuda.empty(100_000, np.float32)
    normal_op(cuda, out, state(cuda, 1, 0), shape=out.shape, dtype=out.dtype, offset=0, mean=0.0, std=1.0)
    z = out.get().astype(float)
    moments = [z.mean(), (z**2).mean(), (z**3).mean(), (z**4).mean()]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.06)
    uniform_op(cuda, out, state(cuda, 1, 0), shape=out.shape, dtype=out.dtype, offset=0)
    u = out.get()
    assert 0 <= u.min() and u.max() < 1 and abs(u.mean() - 0.5) < 0.005


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", np.dtype(ml_dtypes.bfloat16)], ids=str)
def test_dropout(cuda, size, dtype):
    p = 0.3
    host = np.array([5, 1], np.uint64)
    x = np.random.default_rng(size).standard_normal(size).astype(dtype)
    out, mask = cuda.empty(size, x.dtype), cuda.empty(size, np.bool_)
    dropout_op(cuda, out, mask, cuda(x), cuda(host), p=p, offset=9)
    words = random.words(host, 9, -(-size // 4)).reshape(-1)[:size]
    kept = (words >> np.uint32(8)) * 2.0**-24 >= p
    wide = "float64" if x.dtype == np.float64 else "float32"
    scaled = (x.astype(wide) * np.dtype(wide).type(1 / (1 - p))).astype(x.dtype)
    np.testing.assert_array_equal(mask.get(), kept)
    np.testing.assert_array_equal(out.get(), np.where(kept, scaled, np.zeros((), x.dtype)))
    dropout_grad(cuda, out, cuda(x), mask, p=p)
    np.testing.assert_array_equal(out.get(), np.where(kept, scaled, np.zeros((), x.dtype)))
    there = x[::-1].copy()
    dropout_add(cuda, out, mask, cuda(x), cuda(there), cuda(host), p=p, offset=9)  # rounded as by two kernels
    np.testing.assert_array_equal(out.get(), there + np.where(kept, scaled, np.zeros((), x.dtype)))


@pytest.mark.parametrize("p, kept", [(0.0, True), (1.0, False)])
def test_dropout_of_none_and_all(cuda, p, kept):
    out, mask = cuda.empty(100, np.float32), cuda.empty(100, np.bool_)
    dropout_op(cuda, out, mask, cuda(np.ones(100, np.float32)), state(cuda, 0, 0), p=p, offset=0)
    assert (mask.get() == kept).all() and (out.get() == kept).all()
