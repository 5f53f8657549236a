"""Special functions in float64 against SciPy, far out and close to their zeros and poles."""

import numpy as np
import pytest

import gpunet

special = pytest.importorskip("scipy.special")

RNG = np.random.default_rng(0)
LINE = np.concatenate([RNG.uniform(-20, 20, 2000), RNG.uniform(-3, 3, 2000), 10.0 ** RNG.uniform(-300, 300, 500),
                       np.arange(-20, 21.0), [np.inf, np.nan, 1 + 1e-9, 2 - 1e-9]])
UNIT = np.concatenate([RNG.uniform(-1, 1, 2000), 1 - 10.0 ** RNG.uniform(-15, 0, 500), [-1, 0, 1, 1.5]])


@pytest.mark.parametrize("name, ours, theirs, x", [
    ("erf", gpunet.erf, special.erf, LINE), ("erfc", gpunet.erfc, special.erfc, LINE[LINE < 26]),
    ("erfinv", gpunet.erfinv, special.erfinv, UNIT), ("lgamma", gpunet.lgamma, special.gammaln, LINE),
    ("digamma", gpunet.digamma, special.digamma, LINE),
    *[(f"polygamma {n}", lambda x, n=n: gpunet.polygamma(n, x), lambda x, n=n: special.polygamma(n, x),
       np.clip(np.abs(LINE), 0, 1e40)) for n in (1, 2, 5)]],
    ids=lambda value: value if isinstance(value, str) else "")
def test_values_are_scipys(name, ours, theirs, x):
    # Near a zero of lgamma and digamma the relative error means little: there the absolute one counts.
    np.testing.assert_allclose(ours(gpunet.tensor(x)).numpy(), theirs(x), rtol=1e-12,
                               atol=1e-12 if name in ("lgamma", "digamma") else 0)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_slope_of_log_ndtr_far_below_0(kind):
    """Of both orders; PyTorch's is wrong there."""
    at = -(10.0 ** np.arange(-1, 4))
    x = gpunet.tensor(at, dtype=getattr(gpunet, kind)).requires_grad_()
    slope, = gpunet.autograd.grad(gpunet.special.log_ndtr(x).sum(), x, create_graph=True)
    curve, = gpunet.autograd.grad(slope.sum(), x)
    expected = np.sqrt(2 / np.pi) / special.erfcx(-at / np.sqrt(2))
    np.testing.assert_allclose(slope.detach().numpy(), expected, rtol=1e-6 if kind == "float32" else 1e-13)
    near = slice(3) if kind == "float32" else slice(None)
    np.testing.assert_allclose(curve.numpy()[near], (-expected * (at + expected))[near], rtol=2e-3)
