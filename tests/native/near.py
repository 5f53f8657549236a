"""How near a kernel's result has to be to the body's."""

import numpy as np


def assert_near(found, wanted, ulps: float = 16) -> None:
    """Equal but for roundings of numbers as large as the largest: sums are taken in another order. NaN and infinities
    stand at the same places."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    finite = np.abs(wanted[np.isfinite(wanted)])
    size = max(1.0, float(finite.max())) if finite.size else 1.0
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=ulps * size * float(np.finfo(wanted.dtype).eps))
