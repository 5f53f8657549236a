"""Densities, moments, divergences and errors against PyTorch."""

import numpy as np
import pytest

import gpunet
from gpunet import distributions as ours

torch = pytest.importorskip("torch")
theirs = torch.distributions


@pytest.fixture(autouse=True)
def validation():
    """torch.compile, in another test of this process, turns it off."""
    theirs.Distribution.set_default_validate_args(True)


A, B = np.array([0.3, 1.0, 2.5]), np.array([[0.5], [4.0]])
P = np.array([0.1, 0.5, 0.85])
V = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
WHOLE = np.array([[0.0, 2.0, 5.0]])
X, UNIT, COUNTS = np.array([[-1.5, 0.2, 3.0]]), np.array([[0.1, 0.4, 0.95]]), np.array([[0.5, 0.01, 7.0]])

# name, parameters, values
TABLE = [
    ("Normal", {"loc": A, "scale": B}, X),
    ("Normal", {"loc": 0.5, "scale": 2.0}, X),
    ("LogNormal", {"loc": A, "scale": B / 4}, COUNTS),
    ("Laplace", {"loc": A, "scale": B}, X),
    ("Uniform", {"low": -A, "high": B}, X * 0.1),
    ("Exponential", {"rate": A}, COUNTS),
    ("Gamma", {"concentration": A, "rate": B}, COUNTS),
    ("Chi2", {"df": A}, COUNTS),
    ("Beta", {"concentration1": A, "concentration0": B}, UNIT),
    ("Beta", {"concentration1": 2.0, "concentration0": 3.0}, UNIT),
    ("Dirichlet", {"concentration": V * 10}, V[::-1].copy()),
    ("Dirichlet", {"concentration": A}, V),
    ("Bernoulli", {"probs": P}, np.array([[1.0, 0.0, 1.0]])),
    ("Bernoulli", {"logits": X}, np.array([[1.0], [0.0]])),
    ("Bernoulli", {"logits": X * 0}, np.array([[1.0], [0.0]])),
    ("Categorical", {"probs": V * 3}, np.array([2, 0])),
    ("Categorical", {"logits": X}, np.array([[2], [1]])),
    ("Categorical", {"probs": A}, np.array([2, 0, 1, 1])),
    ("OneHotCategorical", {"probs": V}, np.eye(3)[[2, 1]]),
    ("OneHotCategorical", {"logits": X}, np.eye(3)[[2, 1]]),
    ("StudentT", {"df": np.array([0.7, 1.5, 4.0]), "loc": A, "scale": B}, X),
    ("Cauchy", {"loc": A, "scale": B}, X),
    ("HalfCauchy", {"scale": A}, COUNTS),
    ("HalfNormal", {"scale": A}, COUNTS),
    ("Pareto", {"scale": A / 10, "alpha": np.array([[0.8], [3.0]])}, COUNTS + 1),
    ("FisherSnedecor", {"df1": np.array([1.5, 4.0, 3.0]), "df2": np.array([[1.5], [5.0]])}, COUNTS),
    ("Gumbel", {"loc": A, "scale": B}, X),
    ("Weibull", {"scale": A, "concentration": B}, COUNTS),
    ("Kumaraswamy", {"concentration1": A, "concentration0": B}, UNIT),
    ("InverseGamma", {"concentration": np.array([0.5, 1.5, 4.0]), "rate": B}, COUNTS),
    ("Poisson", {"rate": A}, WHOLE),
    ("Geometric", {"probs": P}, WHOLE),
    ("Geometric", {"logits": X}, WHOLE),
    ("Binomial", {"total_count": 5.0, "probs": P}, WHOLE),
    ("Binomial", {"total_count": 5.0, "logits": X}, WHOLE),
    ("NegativeBinomial", {"total_count": A, "probs": P}, WHOLE),
    ("NegativeBinomial", {"total_count": 3.0, "logits": X}, WHOLE),
    ("RelaxedBernoulli", {"temperature": np.array(0.7), "probs": P}, UNIT),
    ("RelaxedBernoulli", {"temperature": np.array(0.7), "logits": X}, UNIT),
    ("RelaxedOneHotCategorical", {"temperature": np.array(0.7), "probs": V}, V[::-1].copy()),
    ("RelaxedOneHotCategorical", {"temperature": np.array(0.7), "logits": X}, V),
]
# In PyTorch these have no gradient, or a value that is wrong.
LEFT_OUT = {*(("cdf", name) for name in ("Gamma", "Chi2", "InverseGamma")), ("mode", "Kumaraswamy")}


def build(library, name, parameters, grad=False):
    made = {k: library.tensor(v).requires_grad_(grad) if isinstance(v, np.ndarray) else v
            for k, v in parameters.items()}
    module = ours if library is gpunet else theirs
    return getattr(module, name)(**made), [p for p in made.values() if not isinstance(p, float)]


def equal(a, b):
    assert tuple(a.shape) == tuple(b.shape)
    rtol = 2e-6 if a.detach().numpy().dtype == "float64" else 1e-5  # PyTorch's trigamma has nine digits
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=1e-8)


@pytest.mark.parametrize("name, parameters, values", TABLE)
def test_is_pytorchs(name, parameters, values):
    """Each function's value, and its gradient by the parameters."""
    functions = {
        "log_prob": lambda lib, d: d.log_prob(lib.tensor(values)), "entropy": lambda lib, d: d.entropy(),
        "mean": lambda lib, d: d.mean, "variance": lambda lib, d: d.variance, "stddev": lambda lib, d: d.stddev,
        "mode": lambda lib, d: d.mode, "perplexity": lambda lib, d: d.perplexity(),
        "cdf": lambda lib, d: d.cdf(lib.tensor(values)), "icdf": lambda lib, d: d.icdf(lib.tensor(UNIT)),
        "enumerate_support": lambda lib, d: d.enumerate_support(),
        "not expanded": lambda lib, d: d.enumerate_support(expand=False),
        "expanded": lambda lib, d: d.expand((4, 2, 3)[: 3 if d.event_shape == () and name != "Categorical" else 2]
                                            ).entropy(),
        "probs": lambda lib, d: d.probs, "logits": lambda lib, d: d.logits, "samples": lambda lib, d: d.sample((5, 2)),
    }
    for what, function in functions.items():
        found = []
        for library in (torch, gpunet):
            distribution, leaves = build(library, name, parameters, grad=True)
            try:
                value = function(library, distribution)
            except (NotImplementedError, AttributeError) as error:
                found.append(error)
                continue
            slopes = []
            if value.requires_grad and what not in ("samples", "mode") and not (library is torch
                                                                                and (what, name) in LEFT_OUT):
                slopes = library.autograd.grad(value.sum(), leaves, allow_unused=True)
            found.append((value, slopes))
        expected, mine = found
        if isinstance(expected, Exception):
            assert isinstance(mine, Exception) or what == "mode" and name in ("Chi2",), (what, mine)
        elif (what, name) == ("mode", "Kumaraswamy"):
            continue
        elif what == "samples":
            assert tuple(mine[0].shape) == tuple(expected[0].shape)
            assert str(mine[0].dtype).split(".")[-1] == str(expected[0].dtype).split(".")[-1]
        else:
            assert not isinstance(mine, Exception), (what, mine)
            equal(mine[0], expected[0])
            for a, b in zip(mine[1], expected[1], strict=False):
                assert (a is None) == (b is None), what
                if a is not None:
                    equal(a, b)


@pytest.mark.parametrize("name, parameters, values", TABLE)
def test_shapes_and_text(name, parameters, values):
    (a, _), (b, _) = build(gpunet, name, parameters), build(torch, name, parameters)
    assert tuple(a.batch_shape) == tuple(b.batch_shape) and tuple(a.event_shape) == tuple(b.event_shape)
    if repr(b) != f"{name}()":  # PyTorch does not show the parameters of what it makes of another distribution
        assert repr(a).replace("gpunet", "torch") == repr(b)
    assert (a.has_rsample, a.has_enumerate_support) == (b.has_rsample, b.has_enumerate_support)
    assert repr(a.support).replace("gpunet", "torch") == repr(b.support) or name == "Uniform"


PAIRS = [
    *[(n, n) for n in ("Normal", "LogNormal", "Laplace", "Exponential", "Gamma", "Beta", "Dirichlet", "Uniform")],
    ("Normal", "Uniform"), ("Uniform", "Normal"), ("Exponential", "Gamma"), ("Gamma", "Exponential"),
    ("Gamma", "Uniform"), ("Laplace", "Uniform"), ("Exponential", "Uniform"),
    *[(n, n) for n in ("Gumbel", "Geometric", "HalfNormal", "Pareto", "Poisson", "Cauchy")],
    *[("Beta", n) for n in ("Exponential", "Gamma", "Normal", "Uniform", "Pareto")],
    *[("Exponential", n) for n in ("Normal", "Gumbel", "Beta", "Pareto")],
    *[("Gamma", n) for n in ("Normal", "Gumbel", "Beta", "Pareto")],
    *[("Gumbel", n) for n in ("Normal", "Beta", "Exponential", "Gamma", "Pareto", "Uniform")],
    *[("Laplace", n) for n in ("Normal", "Beta", "Exponential", "Gamma", "Pareto")],
    *[("Normal", n) for n in ("Gumbel", "Laplace", "Beta", "Exponential", "Gamma", "Pareto")],
    *[("Pareto", n) for n in ("Exponential", "Gamma", "Normal", "Beta", "Uniform")],
    *[("Uniform", n) for n in ("Beta", "Exponential", "Gamma", "Gumbel", "Pareto")], ("Bernoulli", "Poisson"),
    ("Poisson", "Bernoulli"),
]


@pytest.mark.parametrize("p, q", PAIRS)
def test_divergences(p, q):
    rng = np.random.default_rng(0)

    def one(name, seed):
        parameters = next(row[1] for row in TABLE if row[0] == name)
        made = {k: np.abs(rng.normal(size=(4, 3))) + 0.3 for k in parameters}
        if "probs" in made:
            made["probs"] = made["probs"] / 9
        if name == "Uniform":
            made["high"] = made["low"] + made["high"]
        return made

    for _ in range(2):
        values = one(p, 0), one(q, 1)
        found = []
        for library, module in ((gpunet, ours), (torch, theirs)):
            (a, left), (b, right) = (build(library, n, v, grad=True) for n, v in zip((p, q), values, strict=True))
            value = module.kl_divergence(a, b)
            slopes = ()
            if value.isfinite().all():
                slopes = library.autograd.grad(value.sum(), [*left, *right], allow_unused=True)
            found.append((value, slopes))
        equal(found[0][0], found[1][0])
        for x, y in zip(found[0][1], found[1][1], strict=True):
            equal(x, y)


@pytest.mark.parametrize("name", ["Bernoulli", "Categorical", "OneHotCategorical"])
def test_divergences_of_discrete_distributions(name):
    p = np.array([[0.2, 0.8], [0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    q = np.array([[0.7, 0.3], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    mine, expected = (module.kl_divergence(getattr(module, name)(library.tensor(p)),
                                           getattr(module, name)(library.tensor(q)))
                      for library, module in ((gpunet, ours), (torch, theirs)))
    equal(mine, expected)


def test_divergences_where_pytorch_has_none():
    """Of |x| and of 1 / x they are those of x; PyTorch answers only where both distributions are the same."""
    for name, base, (p, q) in (("HalfCauchy", "Cauchy", (({"scale": A}, {"scale": B}))),
                               ("InverseGamma", "Gamma", ({"concentration": A, "rate": B},
                                                          {"concentration": A + 1, "rate": B * 2}))):
        left, right = (build(gpunet, name, each)[0] for each in (p, q))
        if name == "HalfCauchy":
            p, q = ({"loc": 0.0, **each} for each in (p, q))
        equal(ours.kl_divergence(left, right),
              theirs.kl_divergence(*(build(torch, base, each)[0] for each in (p, q))))


def test_cdf_of_infinity():
    for name, parameters in (("Gamma", {"concentration": A, "rate": B}), ("Chi2", {"df": A * 200})):
        equal(build(gpunet, name, parameters)[0].cdf(gpunet.tensor(np.array([np.inf] * 3))),
              build(torch, name, parameters)[0].cdf(torch.tensor(np.array([np.inf] * 3))))
    tiny = gpunet.tensor([1e-310], dtype=gpunet.float64)  # 1 / x is infinite
    assert ours.InverseGamma(2.0, 1.0).cdf(tiny).tolist() == [0.0]


def test_numbers_in_a_recorded_step():
    """Parameters that are numbers stand in the recording."""
    function = gpunet.compile(lambda a: ours.StudentT(3.0, 0.5, a).log_prob(a) + ours.Normal(0.0, a).log_prob(a))
    for k in range(3):
        a = torch.tensor(A + k)
        equal(function(gpunet.tensor(A + k)),
              theirs.StudentT(3.0, 0.5, a).log_prob(a) + theirs.Normal(0.0, a).log_prob(a))


def test_independent():
    values = np.random.default_rng(0).normal(size=(5, 2, 3))
    for dims in (0, 1, 2):
        found = []
        for library, module in ((gpunet, ours), (torch, theirs)):
            base, _ = build(library, "Normal", {"loc": A, "scale": B})
            d = module.Independent(base, dims)
            kl = module.kl_divergence(d, module.Independent(build(library, "Normal", {"loc": -A, "scale": B})[0], dims))
            found.append((tuple(d.batch_shape), tuple(d.event_shape), repr(d).replace("gpunet", "torch"),
                          [d.log_prob(library.tensor(values)), d.entropy(), d.mean, d.variance, kl,
                           d.expand((7, *d.batch_shape)).entropy()]))
        assert found[0][:3] == found[1][:3]
        for a, b in zip(found[0][3], found[1][3], strict=True):
            equal(a, b)
    with pytest.raises(ValueError, match="Expected reinterpreted_batch_ndims <= len"):
        ours.Independent(ours.Normal(0.0, 1.0), 1)


@pytest.mark.parametrize("make", [
    lambda lib, d: d.Normal(0.0, -1.0), lambda lib, d: d.Normal(lib.tensor([0.0, float("nan")]), 1.0),
    lambda lib, d: d.Bernoulli(lib.tensor([0.5, 1.5])), lambda lib, d: d.Bernoulli(),
    lambda lib, d: d.Bernoulli(0.5, 0.5), lambda lib, d: d.Categorical(lib.tensor([0.5, -0.1])),
    lambda lib, d: d.Categorical(lib.tensor(0.5)), lambda lib, d: d.Categorical(logits=lib.tensor(0.5)),
    lambda lib, d: d.Gamma(0.0, 1.0), lambda lib, d: d.Dirichlet(lib.tensor([0.5, 0.0])),
    lambda lib, d: d.Dirichlet(lib.tensor(1.0)),
    lambda lib, d: d.Normal(0.0, 1.0).log_prob(1.0), lambda lib, d: d.Exponential(1.0).log_prob(lib.tensor(-1.0)),
    lambda lib, d: d.Normal(lib.zeros(3), 1.0).log_prob(lib.zeros(2)),
    lambda lib, d: d.Dirichlet(lib.ones(3)).log_prob(lib.ones(2)),
    lambda lib, d: d.Dirichlet(lib.ones(3)).log_prob(lib.ones(3)),
    lambda lib, d: d.Categorical(lib.ones(3)).log_prob(lib.tensor(3)),
    lambda lib, d: d.Bernoulli(lib.ones(3)).log_prob(lib.ones(3) / 2),
])
def test_errors_are_pytorchs(make):
    with pytest.raises((ValueError, TypeError)) as expected:
        make(torch, theirs)
    with pytest.raises(expected.type) as found:
        make(gpunet, ours)
    first = str(expected.value).splitlines()[0].replace("torch", "gpunet")
    assert str(found.value).splitlines()[0] == first


M = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.5]])


@pytest.mark.parametrize("which", ["covariance_matrix", "precision_matrix", "scale_tril"])
@pytest.mark.parametrize("loc, batch", [(A, ()), (V, (2,)), (A, (4, 1))])
def test_multivariate_normal(which, loc, batch):
    matrix = np.broadcast_to(np.linalg.cholesky(M) if which == "scale_tril" else M, (*batch, 3, 3)).copy()
    values = np.random.default_rng(0).normal(size=(4, 2, 3))
    found = []
    for library, module in ((gpunet, ours), (torch, theirs)):
        leaves = [library.tensor(loc).requires_grad_(), library.tensor(matrix).requires_grad_()]
        d = module.MultivariateNormal(leaves[0], **{which: leaves[1]})
        text = repr(d).replace("gpunet", "torch")
        other = module.MultivariateNormal(library.tensor(-A), scale_tril=library.eye(3, dtype=library.float64) * 2)
        results = [d.log_prob(library.tensor(values)), d.entropy(), d.mean, d.variance, d.covariance_matrix,
                   d.precision_matrix, d.scale_tril, module.kl_divergence(d, other), module.kl_divergence(other, d),
                   d.expand((5, *d.batch_shape)).entropy()]
        slopes = library.autograd.grad(results[0].sum() + results[7].sum(), leaves)
        found.append((tuple(d.batch_shape), tuple(d.event_shape), text, tuple(d.sample((7,)).shape),
                      [*results, *slopes]))
    assert found[0][:4] == found[1][:4]
    for a, b in zip(found[0][4], found[1][4], strict=True):
        equal(a, b)


@pytest.mark.parametrize("make", [
    lambda lib, d: d.MultivariateNormal(lib.zeros(2)), lambda lib, d: d.MultivariateNormal(lib.tensor(0.0), lib.eye(2)),
    lambda lib, d: d.MultivariateNormal(lib.zeros(2), lib.eye(2), lib.eye(2)),
    lambda lib, d: d.MultivariateNormal(lib.zeros(2), -lib.eye(2)),
    lambda lib, d: d.MultivariateNormal(lib.zeros(2), scale_tril=lib.ones(2, 2)),
])
def test_errors_of_multivariate_normal(make):
    with pytest.raises(ValueError) as expected:
        make(torch, theirs)
    with pytest.raises(ValueError) as found:
        make(gpunet, ours)
    assert str(found.value).splitlines()[0] == str(expected.value).splitlines()[0].replace("torch", "gpunet")


def test_validation_can_be_turned_off():
    assert ours.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    ours.Distribution.set_default_validate_args(False)
    try:
        ours.Exponential(1.0).log_prob(gpunet.tensor(-1.0))
    finally:
        ours.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="Input arguments must all be instances of Number or Tensor"):
        ours.Normal("0", 1.0)
    with pytest.raises(NotImplementedError, match="No KL"):
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Bernoulli(0.5))


@pytest.mark.parametrize("make", [
    lambda lib, d: d.Multinomial(5, probs=lib.tensor(V)), lambda lib, d: d.Multinomial(3, logits=lib.tensor(X)),
    lambda lib, d: d.Multinomial(4, lib.tensor(V)).expand((3, 2)),
])
def test_multinomial(make):
    a, b = make(gpunet, ours), make(torch, theirs)
    assert (tuple(a.batch_shape), tuple(a.event_shape), repr(a.support)) == (
        tuple(b.batch_shape), tuple(b.event_shape), repr(b.support))
    values = np.array([[1.0, 2.0, 0.0]])
    for left, right in ((a.log_prob(gpunet.tensor(values)), b.log_prob(torch.tensor(values))), (a.mean, b.mean),
                        (a.variance, b.variance)):
        equal(left, right)
    if len(a.batch_shape) < 2:  # PyTorch's expanded one has no entropy
        equal(a.entropy(), b.entropy())
    drawn = a.sample((7,))
    assert tuple(drawn.shape) == tuple(b.sample((7,)).shape)
    assert (drawn.sum(-1) == a.total_count).all() and (drawn >= 0).all()
    with pytest.raises(NotImplementedError, match="inhomogeneous total_count"):
        ours.Multinomial(gpunet.tensor(2.0), gpunet.tensor(V))
    with pytest.raises(ValueError, match="total_count must not be negative, got -1"):
        ours.Multinomial(-1, gpunet.tensor(V))


@pytest.mark.parametrize("make", [
    lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.tensor(V)), d.Normal(lib.tensor(V * 3), lib.tensor(V))),
    lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.tensor(A)), d.Normal(lib.tensor(V), lib.tensor(V))),
    lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.tensor(P)), d.Independent(
        d.Laplace(lib.tensor(np.tile(V[:, :, None], 4)), lib.tensor(np.tile(V[:, :, None], 4))), 1)),
    lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.tensor(V)), d.Normal(lib.tensor(V), lib.tensor(V))).expand(
        (4, 2)),
])
def test_mixture(make):
    a, b = make(gpunet, ours), make(torch, theirs)
    assert (tuple(a.batch_shape), tuple(a.event_shape)) == (tuple(b.batch_shape), tuple(b.event_shape))
    assert repr(a.support) == repr(b.support) and repr(a).startswith("MixtureSameFamily(\n  Categorical(")
    values = np.random.default_rng(0).normal(size=(5, 1, 1, *a.event_shape))
    equal(a.log_prob(gpunet.tensor(values)), b.log_prob(torch.tensor(values)))
    equal(a.mean, b.mean)
    equal(a.variance, b.variance)
    if not a.event_shape:
        equal(a.cdf(gpunet.tensor(values)), b.cdf(torch.tensor(values)))
    assert tuple(a.sample((6, 3)).shape) == (6, 3, *b.batch_shape, *b.event_shape)  # PyTorch's raises for some


def test_errors_of_mixture():
    for make in (lambda lib, d: d.MixtureSameFamily(d.Normal(lib.zeros(2), 1.0), d.Normal(lib.zeros(2), 1.0)),
                 lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.ones(2)), 3),
                 lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.ones(2)), d.Normal(lib.zeros(3), 1.0)),
                 lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.ones(4, 2)), d.Normal(lib.zeros(3, 2), 1.0))):
        with pytest.raises(ValueError) as expected:
            make(torch, theirs)
        with pytest.raises(ValueError) as found:
            make(gpunet, ours)
        assert str(found.value).replace("gpunet", "torch") == str(expected.value)


@pytest.mark.parametrize("batch", [(), (2,), (4, 1)])
def test_low_rank_multivariate_normal(batch):
    rng = np.random.default_rng(0)
    w, values = rng.normal(size=(*batch, 3, 2)), rng.normal(size=(4, 2, 3))
    found = []
    for library, module in ((gpunet, ours), (torch, theirs)):
        leaves = [library.tensor(each).requires_grad_() for each in (A, w, A + 0.1)]
        d = module.LowRankMultivariateNormal(*leaves)
        whole = module.MultivariateNormal(library.tensor(-A), scale_tril=library.eye(3, dtype=library.float64) * 2)
        other = module.LowRankMultivariateNormal(library.tensor(V[0]), library.tensor(w * 2), library.tensor(A))
        results = [d.log_prob(library.tensor(values)), d.entropy(), d.mean, d.variance, d.covariance_matrix,
                   d.precision_matrix, d.scale_tril, d.expand((5, *d.batch_shape)).entropy(),
                   *(module.kl_divergence(p, q) for p, q in ((d, other), (d, whole), (whole, d)))]
        slopes = library.autograd.grad(sum(each.sum() for each in (results[0], *results[-3:])), leaves)
        found.append((tuple(d.batch_shape), tuple(d.event_shape), repr(d).replace("gpunet", "torch"),
                      tuple(d.sample((7,)).shape), [*results, *slopes]))
    assert found[0][:4] == found[1][:4]
    for a, b in zip(found[0][4], found[1][4], strict=True):
        equal(a, b)


def test_divergences_of_binomial_and_transformed():
    for module, library in ((ours, gpunet), (theirs, torch)):
        p, q = (module.Binomial(n, library.tensor(P * f)) for n, f in ((5, 1.0), (5, 0.5)))
        more = module.Binomial(6, library.tensor(P))
        left, right = (module.TransformedDistribution(module.Normal(library.tensor(A), f), module.ExpTransform())
                       for f in (1.0, 2.0))
        with pytest.raises(NotImplementedError):
            module.kl_divergence(p, more)
        answers = [module.kl_divergence(p, q), module.kl_divergence(more, q), module.kl_divergence(left, right)]
        if module is ours:
            mine = answers
    for a, b in zip(mine, answers, strict=True):
        equal(a, b)
