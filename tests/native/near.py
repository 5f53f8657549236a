"""How near a kernel's results have to be to the body's."""

import numpy as np

import gpunet
from gpunet import native


def assert_near(found, wanted, ulps: float = 16) -> None:
    """Equal but for roundings of numbers as large as the largest: sums are taken in another order. NaN and infinities
    stand at the same places."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    finite = np.abs(wanted[np.isfinite(wanted)])
    size = max(1.0, float(finite.max())) if finite.size else 1.0
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=ulps * size * float(np.finfo(wanted.dtype).eps))


def both(function, ulps: float = 16, exact: bool = False) -> None:
    """A function gives near results, a sequence of arrays, with native kernels and with NumPy bodies, or `exact`
    ones; and the same results for any number of threads."""
    found = function()
    with native.disabled():
        wanted = function()
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b) if exact else assert_near(a, b, ulps)
    threads = gpunet.get_num_threads()
    try:
        for other in {1, 3} - {threads}:
            gpunet.set_num_threads(other)
            for a, b in zip(found, function(), strict=True):
                np.testing.assert_array_equal(a, b)
    finally:
        gpunet.set_num_threads(threads)
