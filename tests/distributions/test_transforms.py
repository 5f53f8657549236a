"""Transforms and transformed distributions against PyTorch: values, derivatives, shapes, caches."""

import numpy as np
import pytest

import gpunet
from gpunet import distributions as ours
from tests.distributions.test_against_pytorch import equal

torch = pytest.importorskip("torch")
theirs = torch.distributions

X = np.array([[-1.5, 0.25, 3.0], [0.5, -20.0, 0.1]])
ANY, POSITIVE = X, np.abs(X)
TABLE = {
    "exp": (lambda lib, d: d.ExpTransform(), ANY), "tanh": (lambda lib, d: d.TanhTransform(), ANY / 5),
    "sigmoid": (lambda lib, d: d.SigmoidTransform(), ANY), "softplus": (lambda lib, d: d.SoftplusTransform(), ANY),
    "affine": (lambda lib, d: d.AffineTransform(1.0, -2.0), ANY),
    "affine by tensors": (lambda lib, d: d.AffineTransform(lib.tensor(X[0]), lib.tensor(X[0]), event_dim=1), ANY),
    "power": (lambda lib, d: d.PowerTransform(lib.tensor(0.5, dtype=lib.float64)), POSITIVE),
    "power of a number": (lambda lib, d: d.PowerTransform(-2.0), POSITIVE),
    "stick": (lambda lib, d: d.StickBreakingTransform(), ANY / 5), "none": (lambda lib, d: d.ComposeTransform([]), ANY),
    "compose": (lambda lib, d: d.ComposeTransform([d.TanhTransform(), d.AffineTransform(2.0, 3.0)]), ANY / 5),
    "to vectors": (lambda lib, d: d.ComposeTransform([d.AffineTransform(0.0, 0.5), d.StickBreakingTransform()]),
                   ANY / 5),
    "independent": (lambda lib, d: d.IndependentTransform(d.ExpTransform(), 1), ANY),
    "inverse": (lambda lib, d: d.ExpTransform().inv, POSITIVE),
    "inverse of several": (lambda lib, d: d.ComposeTransform([d.AffineTransform(1.0, 2.0), d.ExpTransform()]).inv,
                           POSITIVE),
}


@pytest.mark.parametrize("make, values", TABLE.values(), ids=TABLE)
def test_a_transform_is_pytorchs(make, values):
    found = []
    for library, module in ((gpunet, ours), (torch, theirs)):
        t, x = make(library, module), library.tensor(values, requires_grad=True)
        y = t(x)
        slope = t.log_abs_det_jacobian(x, y)
        gradients = library.autograd.grad((y * y).sum() + slope.sum(), x, allow_unused=True)[0]
        same = t == make(library, module), t == module.TanhTransform(cache_size=1)
        shapes = t.forward_shape((5, 3)), t.inverse_shape((5, 3)), t.domain.event_dim, t.codomain.event_dim
        try:
            sign = t.sign
        except NotImplementedError:
            sign = None
        found.append(([y, slope, t.inv(y), gradients], [tuple(s) if isinstance(s, tuple) else s for s in shapes],
                      same, np.asarray(sign, float), t.bijective, bool(t.domain.check(x).all())))
    mine, expected = found
    for a, b in zip(mine[0], expected[0], strict=True):
        equal(a, b)
    assert mine[1:3] == expected[1:3] and mine[4:] == expected[4:]
    np.testing.assert_array_equal(mine[3], expected[3])


DISTRIBUTIONS = {
    "log normal": lambda lib, d: d.TransformedDistribution(d.Normal(lib.tensor(X[:, :1]), lib.tensor(POSITIVE)),
                                                           d.ExpTransform()),
    "squashed": lambda lib, d: d.Independent(d.TransformedDistribution(
        d.Normal(lib.tensor(X[0]), lib.tensor(POSITIVE[1])), [d.TanhTransform(), d.AffineTransform(1.0, -2.0)]), 1),
    "logistic": lambda lib, d: d.TransformedDistribution(
        d.Uniform(lib.zeros(3, dtype=lib.float64), lib.ones(3, dtype=lib.float64)),
        [d.SigmoidTransform().inv, d.AffineTransform(0.5, 2.0)]),
    "simplex": lambda lib, d: d.TransformedDistribution(d.Normal(lib.tensor(X), 1.0), d.StickBreakingTransform()),
    "vectors": lambda lib, d: d.TransformedDistribution(
        d.MultivariateNormal(lib.tensor(X[0]), lib.eye(3, dtype=lib.float64)), [d.ExpTransform()]),
    "many": lambda lib, d: d.TransformedDistribution(
        d.Normal(lib.tensor(0.0, dtype=lib.float64), 1.0).expand((2, 1)), [d.AffineTransform(0.0, 2.0)]).expand((2, 3)),
    "none": lambda lib, d: d.TransformedDistribution(d.Normal(lib.tensor(X), 1.0), []),
}


@pytest.mark.parametrize("make", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_a_transformed_distribution_is_pytorchs(make):
    values = make(torch, theirs).sample((4,)).numpy()
    found = []
    for library, module in ((gpunet, ours), (torch, theirs)):
        d = make(library, module)
        results = {"log_prob": d.log_prob(library.tensor(values))}
        for name, argument in (("cdf", values), ("icdf", np.clip(np.abs(values) % 1, 0.1, 0.9))):
            try:
                results[name] = getattr(d, name)(library.tensor(argument))
            except NotImplementedError:
                pass
        found.append((results, tuple(d.batch_shape), tuple(d.event_shape), d.has_rsample,
                      tuple(d.rsample((5,)).shape), repr(d.support).replace("torch", "gpunet")))
    assert found[0][1:] == found[1][1:] and found[0][0].keys() == found[1][0].keys()
    for name, value in found[0][0].items():
        equal(value, found[1][0][name])


def test_a_cache_gives_back_what_rounding_loses():
    x = gpunet.tensor([0.0, 20.0], requires_grad=True)  # tanh(20) is 1 in float32
    base = ours.Normal(x, gpunet.ones(2))
    squashed = ours.TransformedDistribution(base, [ours.TanhTransform(cache_size=1)])
    action = squashed.rsample()
    density = squashed.log_prob(action)
    density.sum().backward()
    assert density.isfinite().all() and x.grad.isfinite().all()


@pytest.mark.parametrize("make", [
    lambda lib, d: d.TanhTransform(cache_size=2), lambda lib, d: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
    lambda lib, d: d.TransformedDistribution(d.Normal(0.0, 1.0), [3]),
    lambda lib, d: d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform()),
    lambda lib, d: d.StickBreakingTransform().forward_shape(()),
])
def test_errors(make):
    with pytest.raises(ValueError):
        make(torch, theirs)
    with pytest.raises(ValueError, match="."):
        make(gpunet, ours)
