"""CuPy's own kernels, compiled by it to PTX and launched by it, compute what NumPy computes."""

import cupy
import numpy as np
import pytest

ARRAYS = {
    "x": np.random.default_rng(0).standard_normal((37, 65)).astype("f4"),
    "y": np.random.default_rng(1).standard_normal((37, 65)).astype("f4"),
    "d": np.random.default_rng(2).standard_normal((5, 700)),
    "h": np.random.default_rng(3).standard_normal((8, 40)).astype("f2"),
    "i": np.random.default_rng(4).integers(-50, 50, (20, 33)),
    "n": np.random.default_rng(5).integers(0, 20, 300),
    "b": np.random.default_rng(6).random((9, 50)) < 0.5,
    "z": np.random.default_rng(7).standard_normal((6, 14)).view("c16"),
}
BOUNDS = {"f2": 2e-3, "f4": 2e-5, "f8": 1e-12, "c16": 1e-12}

# m is the array module.
QUICK = """
    x.sum() ; d.sum(1) ; i.sum(0) ; h.sum() ; x.argmax(1) ; x.var(1) ; b.any(0) ; m.cumsum(x, 0) ; m.sort(x, 1)
    m.nonzero(b) ; x[x > 0] ; m.unique(n) ; m.where(b, 1, 2) ; i @ i.T ; x @ y.T ; m.tanh(h) ; m.bincount(n)
"""
SLOW = """
    x.sum(0) ; x.sum(1) ; i.prod(0) ; z.sum() ; x.max() ; x.max(0) ; x.argmin() ; i.min(1) ; x.mean(0) ; x.std()
    b.all(1) ; m.count_nonzero(b) ; m.nansum(x) ; m.median(x, 1) ; m.percentile(d, [10, 50, 90]) ; m.ptp(x)
    m.cumsum(d.ravel()) ; m.cumprod(d[:, :3], 1) ; m.argsort(x, 1) ; m.lexsort(m.stack([n, n * 7 % 5]))
    m.partition(d[0], 10)[10] ; m.unique(n, return_counts=True) ; m.searchsorted(m.sort(x[1]), x[0]) ; m.argwhere(b)
    x[:, [1, 4, 2]] ; m.take(x, n[:7], 1) ; m.where(x > 0, x, y) ; m.histogram(d.ravel(), 10)[0]
    m.digitize(d[0], m.sort(d[1])) ; m.einsum('ij,ij->i', x, y) ; m.tensordot(i, i, [[1], [1]]) ; d @ d.T ; z @ z.T
    h @ h.T ; m.dot(x[0], y[0]) ; m.trace(x) ; m.tril(x) ; m.pad(x, 2) ; m.roll(x, 3, 1) ; m.repeat(x, 2, 0)
    m.tile(x, (2, 1)) ; m.concatenate([x, y]) ; m.diff(x) ; m.gradient(d[0]) ; m.linspace(0, 1, 11) ; m.eye(5)
    m.clip(x, -1, 1) ; m.isclose(x, y) ; m.nan_to_num(x) ; m.kron(i[:2, :2], i[:3, :3])
    m.cross(x[:, :3], y[:, :3]) ; m.exp(x) ; m.log(m.abs(x)) ; m.sin(x) ; m.arctan2(x, y) ; m.power(m.abs(x), y)
    m.rint(x) ; m.hypot(x, y) ; i // 7 ; i % 7 ; i << 2 ; m.gcd(i, 7) ; m.sqrt(m.abs(d)) ; m.cbrt(x) ; m.expm1(d)
    m.log1p(m.abs(d)) ; z * z ; m.exp(z) ; m.abs(z) ; z.conj() ; m.angle(z) ; m.fmod(x, y) ; m.frexp(x)
    m.ldexp(x, 3) ; m.nextafter(x, y) ; m.sinc(x) ; m.i0(x) ; x.astype('i4') ; x.astype('f2') ; h.astype('f8')
    m.packbits(b) ; m.logaddexp(x, y) ; m.cov(x[:4]) ; m.polyval(d[0, :4], x) ; m.isin(n, i[0]) ; m.rot90(x)
    m.apply_along_axis(lambda row: row.sum(), 0, x) ; m.add.accumulate(x, 1) ; m.multiply.outer(d[0, :5], d[0, :6])
"""


def rows():
    for text, marks in (QUICK, ()), (SLOW, pytest.mark.slow):
        for each in text.replace("\n", ";").split(";"):
            if each.strip():
                yield pytest.param(each.strip(), marks=marks, id=each.strip())


def same(found, expected):
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
        return
    found, expected = cupy.asnumpy(found), np.asarray(expected)
    assert found.shape == expected.shape
    if expected.dtype.kind in "fc":
        bound = BOUNDS[found.dtype.str[1:]]
        np.testing.assert_allclose(found, expected, rtol=bound, atol=bound * max(1, np.nanmax(np.abs(expected))))
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("text", list(rows()))
def test_functions(text):
    found = eval(text, {"m": cupy} | {name: cupy.asarray(array) for name, array in ARRAYS.items()})
    same(found, eval(text, {"m": np} | ARRAYS))


def test_kernels_of_users():
    x = cupy.arange(1000, dtype=cupy.float32)
    squares = cupy.ElementwiseKernel("T x, T y", "T z", "z = (x - y) * (x - y)", "squares")
    largest = cupy.ReductionKernel("T x", "T y", "x * x", "max(a, b)", "y = a", "0", "largest")
    np.testing.assert_array_equal(squares(x, cupy.float32(2)).get(), (np.arange(1000, dtype="f4") - 2) ** 2)
    assert float(largest(x)) == 999**2
    turned = cupy.RawKernel(r"""
    extern "C" __global__ void turned(float* y, const float* x, int n, float factor) {
        __shared__ float tile[128];
        const int start = blockIdx.x * blockDim.x, i = start + threadIdx.x;
        if (i < n) tile[threadIdx.x] = x[i];
        __syncthreads();
        const int last = min((int)blockDim.x, n - start) - 1;
        if (i < n) y[i] = factor * tile[last - threadIdx.x];
    }""", "turned")
    y = cupy.zeros_like(x)
    turned((8,), (128,), (y, x, 1000, cupy.float32(0.5)))
    expected = np.concatenate([part[::-1] for part in np.split(np.arange(1000, dtype="f4"), range(128, 1000, 128))])
    np.testing.assert_array_equal(y.get(), expected / 2)


def test_a_graph_of_copies_and_kernels():
    x, y, stream = cupy.zeros(100, "f4"), cupy.empty(100, "f4"), cupy.cuda.Stream(non_blocking=True)
    cupy.add(x, 1, out=x)  # compiled before it is captured
    with stream:
        stream.begin_capture()
        y.data.copy_from_device_async(x.data, x.nbytes)
        cupy.add(y, 1, out=x)
        graph = stream.end_capture()
        assert float(x[0]) == 1  # nothing has run
        for _ in range(3):
            graph.launch(stream)
    assert (x.get() == 4).all() and (y.get() == 3).all()


def test_what_goes_wrong_in_a_kernel_is_told():
    stop = cupy.RawKernel('extern "C" __global__ void stop(int* y) { if (y[0] == 7) __trap(); }', "stop",
                          ("-lineinfo",))
    y = cupy.zeros(1, "i4")
    stop((1,), (32,), (y,))
    y += 7
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match="LAUNCH_FAILED: .*kernel stop: trap at .*, warp 0"):
        stop((1,), (32,), (y,))
