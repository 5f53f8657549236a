"""Samples: their distribution by SciPy's tests, their gradients, and that they are the same on every device."""

import numpy as np
import pytest

import gpunet
from gpunet import distributions
from gpunet.ops.gamma import gammainc, standard_gamma_grad

N = 20_000


@pytest.fixture(scope="module")
def stats():
    """A second to import: only where a test needs it."""
    return pytest.importorskip("scipy.stats")


CONTINUOUS = [
    (distributions.Normal(1.0, 2.0), ("norm", 1, 2)),
    (distributions.LogNormal(0.2, 0.5), ("lognorm", 0.5, 0, np.exp(0.2))),
    (distributions.Laplace(1.0, 2.0), ("laplace", 1, 2)), (distributions.Uniform(-1.0, 3.0), ("uniform", -1, 4)),
    (distributions.Exponential(2.0), ("expon", 0, 0.5)), (distributions.Gamma(0.3, 2.0), ("gamma", 0.3, 0, 0.5)),
    (distributions.Gamma(1.0, 1.0), ("gamma", 1)), (distributions.Gamma(7.5, 0.1), ("gamma", 7.5, 0, 10)),
    (distributions.Gamma(300.0, 1.0), ("gamma", 300)), (distributions.Chi2(3.0), ("chi2", 3)),
    (distributions.Beta(0.4, 0.7), ("beta", 0.4, 0.7)), (distributions.Beta(5.0, 2.0), ("beta", 5, 2)),
    (distributions.StudentT(3.0, 1.0, 2.0), ("t", 3, 1, 2)), (distributions.Cauchy(1.0, 2.0), ("cauchy", 1, 2)),
    (distributions.HalfCauchy(2.0), ("halfcauchy", 0, 2)), (distributions.HalfNormal(2.0), ("halfnorm", 0, 2)),
    (distributions.Pareto(2.0, 3.0), ("pareto", 3, 0, 2)), (distributions.FisherSnedecor(3.0, 5.0), ("f", 3, 5)),
    (distributions.Gumbel(1.0, 2.0), ("gumbel_r", 1, 2)), (distributions.Weibull(2.0, 1.5), ("weibull_min", 1.5, 0, 2)),
    (distributions.Kumaraswamy(1.0, 3.0), ("beta", 1, 3)),
    (distributions.InverseGamma(3.0, 2.0), ("invgamma", 3, 0, 2)),
    (distributions.MixtureSameFamily(distributions.Categorical(gpunet.tensor([0.0, 1.0])), distributions.Normal(
        gpunet.tensor([-9.0, 1.0]), gpunet.tensor([1.0, 2.0]))), ("norm", 1, 2)),
]
DISCRETE = [
    (distributions.Poisson(3.5), ("poisson", 3.5)), (distributions.Geometric(0.3), ("geom", 0.3, -1)),
    (distributions.Binomial(100, gpunet.tensor(0.3)), ("binom", 100, 0.3)),
    (distributions.NegativeBinomial(2.5, gpunet.tensor(0.4)), ("nbinom", 2.5, 0.6)),
]


@pytest.mark.parametrize("ours, scipys", CONTINUOUS, ids=[str(i) for i in range(len(CONTINUOUS))])
def test_continuous(ours, scipys, stats):
    values = ours.sample((N,)).double().numpy()
    assert values.shape == (N,)
    assert stats.kstest(values, getattr(stats, scipys[0])(*scipys[1:]).cdf).pvalue > 0.01


@pytest.mark.parametrize("ours, scipys", DISCRETE, ids=[str(i) for i in range(len(DISCRETE))])
def test_whole_numbers(ours, scipys, stats):
    """Counts by chi-squared, those that are rare together."""
    theirs = getattr(stats, scipys[0])(*scipys[1:])
    values = ours.sample((N,)).numpy().astype(int)
    low, high = theirs.ppf(0.002), theirs.ppf(0.998)
    places = np.arange(low, high + 1)
    expected = np.array([theirs.cdf(low), *theirs.pmf(places[1:-1]), theirs.sf(high - 1)]) * N
    found = np.bincount(np.clip(values, low, high).astype(int) - int(low), minlength=len(places))
    assert stats.chisquare(found, expected * (N / expected.sum())).pvalue > 0.01


def test_dirichlet(stats):
    concentration = np.array([0.5, 2.0, 7.0])
    values = distributions.Dirichlet(gpunet.tensor(concentration)).sample((N,)).numpy()
    np.testing.assert_allclose(values.sum(1), 1, rtol=1e-6)
    for i, a in enumerate(concentration):  # each element is a beta variable
        assert stats.kstest(values[:, i], stats.beta(a, concentration.sum() - a).cdf).pvalue > 0.01


def test_multivariate_normal(stats):
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    d = distributions.MultivariateNormal(gpunet.tensor([1.0, -1.0]), gpunet.tensor(covariance).float())
    values = d.sample((N,)).numpy().astype("float64")
    white = np.linalg.solve(np.linalg.cholesky(covariance), (values - [1, -1]).T)
    for row in white:
        assert stats.kstest(row, "norm").pvalue > 0.01
    assert abs(np.corrcoef(white)[0, 1]) < 0.03


def test_discrete(stats):
    probs = np.array([0.1, 0.0, 0.6, 0.3])
    for d in (distributions.Categorical(gpunet.tensor(probs)),
              distributions.Categorical(logits=gpunet.tensor(np.log(probs + 1e-300)))):
        counts = np.bincount(d.sample((N,)).numpy(), minlength=4)
        assert counts[1] == 0 and stats.chisquare(counts[[0, 2, 3]], N * probs[[0, 2, 3]]).pvalue > 0.01
    hot = distributions.OneHotCategorical(gpunet.tensor(probs)).sample((N,)).numpy()
    assert (hot.sum(1) == 1).all() and stats.chisquare(hot.sum(0)[[0, 2, 3]], N * probs[[0, 2, 3]]).pvalue > 0.01
    ones = distributions.Bernoulli(0.3).sample((N,)).sum().item()
    assert stats.binomtest(int(ones), N, 0.3).pvalue > 0.01


@pytest.mark.parametrize("make", [
    lambda t: distributions.Normal(t([0.5, 2.0]), t([1.0, 3.0])),
    lambda t: distributions.Gamma(t([0.3, 5.0]), t([1.0, 2.0])),
    lambda t: distributions.Beta(t([0.3, 5.0]), t([1.0, 2.0])), lambda t: distributions.Dirichlet(t([0.3, 5.0])),
    lambda t: distributions.Categorical(t([0.3, 0.7])), lambda t: distributions.Bernoulli(t([0.3, 0.7])),
    lambda t: distributions.Laplace(t([0.5, 2.0]), t([1.0, 3.0])), lambda t: distributions.Exponential(t([0.5, 2.0])),
])
def test_samples_are_the_same_on_every_device(make, gpu):
    found = []
    for device in ("cpu", gpu):
        gpunet.manual_seed(5)
        d = make(lambda values, device=device: gpunet.tensor(values, device=device))
        found.append(d.sample((50,)).cpu().numpy())
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [gpunet.float16, gpunet.bfloat16])
def test_half_types(dtype):
    value = distributions.Gamma(gpunet.tensor([0.5, 3.0], dtype=dtype), gpunet.tensor(1.0, dtype=dtype)).sample((100,))
    assert value.dtype is dtype and (value > 0).all()


# ---- gradients -----------------------------------------------------------------------------------------------------


def test_gamma_gradient():
    """The change of a number that keeps its place in the distribution: by SciPy's quantiles, and near PyTorch's
    approximation, which is off by up to 0.14 %."""
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(0)
    for a in (0.05, 0.3, 1.0, 2.5, 8.0, 20.0, 47.0, 49.0, 100.0, 1000.0):
        alpha = np.full(2000, a)
        x = np.maximum(rng.gamma(alpha), 1e-30)
        below, above = special.gammainc(alpha, x), special.gammaincc(alpha, x)

        def place(alpha, below=below, above=above):
            return np.where(below < 0.5, special.gammaincinv(alpha, below), special.gammainccinv(alpha, above))

        h = 1e-4 * a
        wanted = (8 * (place(alpha + h) - place(alpha - h)) - (place(alpha + 2 * h) - place(alpha - 2 * h))) / (12 * h)
        found = standard_gamma_grad(gpunet.tensor(alpha), gpunet.tensor(x)).numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-6 if a < 48 else 1e-4)
        torch = pytest.importorskip("torch")
        np.testing.assert_allclose(found, torch._standard_gamma_grad(torch.tensor(alpha), torch.tensor(x)).numpy(),
                                   rtol=2e-3)


def test_incomplete_gamma_function():
    """Against SciPy, and its gradients against finite differences."""
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(0)
    for a in (1e-3, 0.3, 1.0, 12.0, 150.0, 199.0, 250.0, 1e4, 1e6):
        x = np.concatenate([[0.0, a], rng.gamma(a, size=500), rng.uniform(0, 2 * a + 20, 500)])
        found = gammainc(gpunet.tensor(a, dtype=gpunet.float64), gpunet.tensor(x)).numpy()
        np.testing.assert_allclose(found, special.gammainc(a, x), atol=1e-12 if a < 200 else 1e-8, rtol=0)
    points = [gpunet.tensor(v, dtype=gpunet.float64).requires_grad_() for v in ([0.4, 3.0, 30.0], [0.2, 5.0, 25.0])]
    assert gpunet.autograd.gradcheck(gammainc, points)


@pytest.mark.parametrize("make, parameters", [
    (distributions.Normal, [0.5, 2.0]), (distributions.LogNormal, [0.2, 0.3]), (distributions.Laplace, [0.5, 2.0]),
    (distributions.Uniform, [0.5, 2.0]), (distributions.Exponential, [2.0]), (distributions.Gamma, [0.7, 2.0]),
    (distributions.Gamma, [3.0, 0.5]),
    *(pytest.param(distributions.Beta, of, marks=pytest.mark.slow) for of in ([0.7, 2.0], [3.0, 4.0])),
])
def test_gradients_of_expectations(make, parameters):
    """The mean of x and of x^2 has the derivative that the formulas of the moments have."""
    leaves = [gpunet.tensor(p, dtype=gpunet.float64).requires_grad_() for p in parameters]
    d = make(*leaves)
    exact = gpunet.autograd.grad(d.mean + d.variance + d.mean**2, leaves)
    x = d.rsample((200_000,))
    sampled = gpunet.autograd.grad((x + x * x).mean(), leaves)
    for a, b in zip(sampled, exact, strict=True):
        assert a.item() == pytest.approx(b.item(), rel=0.04, abs=0.01)


def test_dirichlet_gradient():
    concentration = gpunet.tensor([0.5, 2.0, 4.0], dtype=gpunet.float64).requires_grad_()
    d = distributions.Dirichlet(concentration)
    weights = gpunet.tensor([1.0, -2.0, 0.5], dtype=gpunet.float64)
    exact = gpunet.autograd.grad((d.mean * weights).sum(), concentration)[0]
    sampled = gpunet.autograd.grad((d.rsample((100_000,)) * weights).sum(-1).mean(), concentration)[0]
    np.testing.assert_allclose(sampled.numpy(), exact.numpy(), rtol=0.05, atol=0.003)


def test_straight_through():
    logits = gpunet.tensor([0.1, 0.5, -0.3]).requires_grad_()
    d = distributions.OneHotCategoricalStraightThrough(logits=logits)
    x = d.rsample((4,))
    assert set(x.detach().round().flatten().tolist()) <= {0.0, 1.0}
    weights = gpunet.tensor([1.0, 2.0, 3.0])
    (x * weights).sum(-1).mean().backward()
    expected = gpunet.autograd.grad((distributions.Categorical(logits=logits).probs * weights).sum(), logits)[0]
    np.testing.assert_allclose(logits.grad.numpy(), expected.numpy(), rtol=1e-5)


def test_recorded_step_draws_new_numbers():
    rate = gpunet.tensor([2.0, 3.0])

    @gpunet.compile
    def step(rate):
        return distributions.Gamma(rate, rate).sample((3,))

    results = [step(rate).tolist() for _ in range(4)]
    gpunet.manual_seed(0)
    assert results == [distributions.Gamma(rate, rate).sample((3,)).tolist() for _ in range(4)]
