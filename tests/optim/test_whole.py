"""LBFGS against PyTorch, NewtonCG against SciPy."""

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim

START = [-1.2, 1.0, 0.7, -0.4]


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def regression(library, dtype):
    """A logistic regression with a penalty: a loss of (weight, bias)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5)) * np.array([1, 10, 0.1, 1, 3])
    y = (x @ rng.normal(size=5) + rng.normal(size=60) > 0).astype(float) * 2 - 1
    x, y = library.tensor(x, dtype=dtype), library.tensor(y, dtype=dtype)
    return lambda weight, bias: (library.log1p(library.exp(-y * (x @ weight + bias))).mean()
                                 + 0.01 * (weight * weight).sum())


def trajectory(library, library_nn, problem, steps, **options):
    """Losses and parameters over some calls of step(), and the optimizer."""
    if problem == "rosenbrock":
        parameters = [library_nn.Parameter(library.tensor(START, dtype=library.float64))]
        loss = rosenbrock
    else:
        parameters = [library_nn.Parameter(library.zeros(n, dtype=library.float64)) for n in (5, 1)]
        loss = regression(library, library.float64)
    optimizer = library.optim.LBFGS(parameters, **options)

    def closure():
        optimizer.zero_grad()
        value = loss(*parameters)
        value.backward()
        return value

    losses = [float(optimizer.step(closure).detach()) for _ in range(steps)]
    return losses, [p.detach().numpy().copy() for p in parameters], optimizer


@pytest.mark.parametrize("problem, options", [
    ("rosenbrock", {"line_search_fn": "strong_wolfe"}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3}),
    ("rosenbrock", {"line_search_fn": "strong_wolfe", "lr": 0.1, "max_eval": 7}),
    ("rosenbrock", {"lr": 0.1, "max_iter": 5}),
    ("regression", {"line_search_fn": "strong_wolfe", "max_iter": 6}),
    ("regression", {"lr": 0.5, "max_iter": 3, "history_size": 5}),
    ("regression", {"lr": 0.5, "max_iter": 20, "tolerance_grad": 1e-2}),
    ("regression", {"lr": 0.5, "max_iter": 20, "tolerance_change": 1e-2}),
])
@pytest.mark.needs("torch")
def test_lbfgs_is_pytorchs(problem, options):
    import torch

    losses, ours, a = trajectory(gpunet, nn, problem, 20, **options)
    expected, theirs, b = trajectory(torch, torch.nn, problem, 20, **options)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-10)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-6)
    mine, other = a.state_dict()["state"][0], b.state_dict()["state"][0]
    assert (mine["n_iter"], mine["func_evals"]) == (other["n_iter"], other["func_evals"])
    assert set(other) - set(mine) <= {"al"}  # PyTorch's scratch memory


@pytest.mark.needs("torch")
def test_lbfgs_state_moves_between_libraries():
    import torch

    options = {"max_iter": 3, "line_search_fn": "strong_wolfe"}
    _, ours, a = trajectory(gpunet, nn, "rosenbrock", 2, **options)
    _, theirs, b = trajectory(torch, torch.nn, "rosenbrock", 2, **options)
    losses = []
    for library, library_nn, values, state in ((gpunet, nn, theirs, b.state_dict()),
                                               (torch, torch.nn, ours, a.state_dict())):
        p = library_nn.Parameter(library.tensor(values[0]))
        optimizer = library.optim.LBFGS([p])

        def other(value, library=library):
            if isinstance(value, list):
                return [other(v) for v in value]
            return library.tensor(np.asarray(value)) if hasattr(value, "numpy") else value

        state["state"] = {0: {name: other(value) for name, value in state["state"][0].items()}}
        optimizer.load_state_dict(state)

        def closure(p=p, optimizer=optimizer):
            optimizer.zero_grad()
            loss = rosenbrock(p)
            loss.backward()
            return loss

        losses.append([float(optimizer.step(closure).detach()) for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=1e-8)


@pytest.mark.parametrize("search", ["strong_wolfe", "armijo"])
@pytest.mark.parametrize("problem", ["rosenbrock", "regression"])
def test_newton_finds_scipys_minimum(problem, search):
    optimize = pytest.importorskip("scipy.optimize")
    if problem == "rosenbrock":
        parameters, loss = [nn.Parameter(gpunet.tensor(START, dtype=gpunet.float64))], rosenbrock
        found = optimize.minimize(optimize.rosen, START, jac=optimize.rosen_der, hessp=optimize.rosen_hess_prod,
                                  method="Newton-CG", options={"xtol": 1e-10})
    else:
        parameters = [nn.Parameter(gpunet.zeros(n, dtype=gpunet.float64)) for n in (5, 1)]
        loss = regression(gpunet, gpunet.float64)

        def at(x, slope=False):
            both = gpunet.tensor(x[:5]).requires_grad_(), gpunet.tensor(x[5:]).requires_grad_()
            value = loss(*both)
            if not slope:
                return value.item()
            return np.concatenate([g.numpy() for g in gpunet.autograd.grad(value, both)])

        found = optimize.minimize(at, np.zeros(6), jac=lambda x: at(x, True), method="Newton-CG",
                                  options={"xtol": 1e-10})
    optimizer = optim.NewtonCG(parameters, max_iter=100, line_search_fn=search)
    first = optimizer.step(lambda: loss(*parameters))
    x = np.concatenate([p.detach().numpy() for p in parameters])
    np.testing.assert_allclose(x, found.x, rtol=1e-5, atol=1e-6)
    assert loss(*parameters).item() <= found.fun * (1 + 1e-9) + 1e-12 < first.item()
    assert optimizer.state[parameters[0]]["n_iter"] < 3 * found.nit
    assert parameters[0].grad is None


def test_newton_is_exact_on_a_quadratic():
    """One step, with as many products as there are different curvatures: a small gradient asks for an exact solution.
    Damping shortens it: H / (H + damping) of the way."""
    curvature = np.array([1.0, 1.0, 4.0, 9.0, 9.0])
    for damping in (0.0, 1e-12):
        p = nn.Parameter(gpunet.ones(5, dtype=gpunet.float64))
        weights = gpunet.tensor(curvature) * 1e-12
        optimizer = optim.NewtonCG([p], max_iter=1, damping=damping, tolerance_grad=0)
        optimizer.step(lambda p=p, weights=weights: (weights * p * p).sum() / 2)
        np.testing.assert_allclose(p.detach().numpy(), 1 - curvature / (curvature + damping * 1e12), atol=1e-5)
        assert optimizer.state[p]["hessian_products"] == 3


def test_newton_leaves_a_saddle():
    """Curvature is negative where it starts: -g, then down to a minimum."""
    p = nn.Parameter(gpunet.tensor([0.1, 1.0], dtype=gpunet.float64))
    optimizer = optim.NewtonCG([p], max_iter=50)
    optimizer.step(lambda: (p[0] ** 2 - 1) ** 2 + p[1] ** 2)
    np.testing.assert_allclose(p.detach().numpy(), [1, 0], atol=1e-6)


P = nn.Parameter(gpunet.ones(2))


def with_backward(loss):
    loss.backward()
    return loss


@pytest.mark.parametrize("make, error, text", [
    (lambda: optim.LBFGS([{"params": [P]}, {"params": []}]), ValueError, "LBFGS doesn't support per-parameter options"),
    (lambda: optim.LBFGS([P], lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda: optim.LBFGS([P], line_search_fn="x").step(lambda: P.sum()), RuntimeError, "only 'strong_wolfe' is"),
    (lambda: optim.NewtonCG([P], damping=-1), ValueError, "Invalid damping value"),
    (lambda: optim.NewtonCG([P], line_search_fn="x"), ValueError, "must be 'strong_wolfe' or 'armijo'"),
    (lambda: optim.NewtonCG([P]).step(lambda: gpunet.ones(())), RuntimeError, "the closure must return a loss"),
    (lambda: optim.NewtonCG([P]).step(lambda: with_backward((P**3).sum())), RuntimeError, "must not call backward"),
])
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()
