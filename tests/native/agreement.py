"""What the tests of native kernels share: an op's kernel beside its NumPy body, and any number of threads."""

import numpy as np

import gpunet
from gpunet import native
from gpunet.native import library


def arrays(*shapes, seed=0):
    """Normally distributed float32 tensors of these shapes; None stays None."""
    random = np.random.default_rng(seed)
    return [None if s is None else gpunet.tensor(random.standard_normal(s).astype(np.float32)) for s in shapes]


def check(function, *tensors, tolerance=1e-5):
    """The results of `function(*tensors)` by kernels, which must be those of the NumPy bodies in float64 within
    `tolerance` times the largest one or 1, and bit for bit the same for 1, 2 and 5 threads."""
    before, results = gpunet.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            gpunet.set_num_threads(threads)
            results.append(_numpy(function(*tensors)))
    finally:
        gpunet.set_num_threads(before)
    for other in results[1:] if library.loaded() is not None else ():  # BLAS is free to differ
        assert [x.tobytes() for x in other] == [x.tobytes() for x in results[0]]
    with native.disabled():
        wanted = _numpy(function(*[x if x is None or x.dtype != gpunet.float32 else x.double() for x in tensors]))
    for found, right in zip(results[0], wanted, strict=True):
        assert found.dtype == np.float32 and found.shape == right.shape
        scale = np.abs(right[np.isfinite(right)]).max(initial=1)
        np.testing.assert_allclose(found, right, rtol=0, atol=tolerance * scale)
    return results[0]


def _numpy(results):
    return [x.numpy() for x in (results if isinstance(results, tuple) else (results,))]
