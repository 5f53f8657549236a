"""Function transforms against PyTorch's: values, structures, errors, and what is put into each other."""

from collections import defaultdict

import numpy as np
import pytest

import gpunet
from gpunet import func as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.func")
pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch, of what it uses itself

X, Y = np.random.default_rng(0).normal(size=(2, 3)), np.random.default_rng(1).normal(size=3)
S = np.array(0.7)


def plain(value):
    """Arrays in the places of tensors."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(plain(each) for each in value)
    return value.detach().numpy() if hasattr(value, "detach") else value


def assert_same(a, b):
    if isinstance(b, (dict, tuple, list)):
        assert type(a) is type(b) and len(a) == len(b)
        for key in b if isinstance(b, dict) else range(len(b)):
            assert_same(a[key], b[key])
    else:
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def both(program):
    assert_same(*(plain(program(library, f, lambda a, library=library: library.tensor(a)))
                  for library, f in ((gpunet, ours), (torch, theirs))))


def vector(lib):
    return lambda x, y: (x @ (y * y)).exp()


def scalar(lib):
    return lambda x, y: ((x * y).sin() * x).sum()


PROGRAMS = {
    "grad": lambda lib, f, t: f.grad(scalar(lib))(t(X), t(Y)),
    "grad by the second": lambda lib, f, t: f.grad(scalar(lib), argnums=-1)(t(X), t(Y)),
    "grad by both": lambda lib, f, t: f.grad(scalar(lib), (1, 0))(t(X), t(Y)),
    "grad in a tuple": lambda lib, f, t: f.grad(scalar(lib), (1,))(t(X), t(Y)),
    "grad by a dictionary": lambda lib, f, t: f.grad(lambda d, x: (d["a"]["b"] * x + d["c"][0]).sum())(
        {"a": {"b": t(Y)}, "c": [t(X)]}, t(X)),
    "grad with aux": lambda lib, f, t: f.grad(lambda x: ((x**2).sum(), {"y": x * 2}), has_aux=True)(t(X)),
    "grad by name": lambda lib, f, t: f.grad(lambda x, *, y: (x * y).sum())(t(X), y=t(Y)),
    "grad by a defaultdict": lambda lib, f, t: f.grad(lambda d: (d["a"] * d["a"]).sum())(defaultdict(list, a=t(Y))),
    "grad of a constant": lambda lib, f, t: f.grad(lambda x: t(S) * 2)(t(X)),
    "grad_and_value": lambda lib, f, t: f.grad_and_value(lambda x: ((x**2).sum(), x), has_aux=True)(t(X)),
    "third derivative": lambda lib, f, t: f.grad(f.grad(f.grad(lambda x: x**4 + x.sin())))(t(S)),
    "grad of another argument in a grad": lambda lib, f, t: f.grad(
        lambda x: (f.grad(lambda y: x * y * y)(x) * x))(t(S)),
    "no_grad outside": lambda lib, f, t: lib.no_grad()(f.grad(scalar(lib)))(t(X), t(Y)),
    "inference_mode outside": lambda lib, f, t: lib.inference_mode()(lambda x, y: (
        f.hessian(scalar(lib))(x[1:], y * 1), f.jvp(vector(lib), (x * 1, y), (x, y * 1)), f.jacfwd(vector(lib))(x, y),
        f.vmap(f.grad(scalar(lib)), (0, None))(x, y)))(t(X), t(Y)),
    "vjp": lambda lib, f, t: f.vjp(vector(lib), t(X), t(Y))[1](t(Y[:2])),
    "vjp twice": lambda lib, f, t: [g(t(Y[:2])) for g in [f.vjp(vector(lib), t(X), t(Y))[1]] * 2],
    "vjp of a structure": lambda lib, f, t: f.vjp(lambda x: {"a": (x * 2, x.sum())}, t(Y))[1](
        {"a": (t(Y), t(S))}),
    "vjp with aux": lambda lib, f, t: f.vjp(lambda x: (x * 2, x), t(Y), has_aux=True)[2],
    "grad through a vjp": lambda lib, f, t: f.grad(lambda x: f.vjp(lambda y: y**3, x)[1](x)[0].sum())(t(Y)),
    "jvp": lambda lib, f, t: f.jvp(vector(lib), (t(X), t(Y)), (t(X[::-1].copy()), t(Y))),
    "jvp of a structure": lambda lib, f, t: f.jvp(lambda d: [d["a"] ** 2, d["a"].sum()], ({"a": t(Y)},),
                                                  ({"a": t(Y)},)),
    "jvp with aux": lambda lib, f, t: f.jvp(lambda x: (x * 2, x), (t(Y),), (t(Y),), has_aux=True),
    "jvp of a constant": lambda lib, f, t: f.jvp(lambda x: t(S) * 2, (t(Y),), (t(Y),)),
    "jvp of integers": lambda lib, f, t: f.jvp(lambda x: (x.argmax(), x * 2, x > 0), (t(Y),), (t(Y),)),
    "grad through a jvp": lambda lib, f, t: f.grad(lambda x: f.jvp(lambda y: y**3, (x,), (x * 2,))[1].sum())(t(Y)),
    "linearize": lambda lib, f, t: [f.linearize(vector(lib), t(X), t(Y))[0],
                                    f.linearize(vector(lib), t(X), t(Y))[1](t(X), t(Y))],
    **{f"{name} {what}": lambda lib, f, t, name=name, call=call: call(lib, getattr(f, name), t)
       for name in ("jacrev", "jacfwd") for what, call in {
           "of vectors": lambda lib, f, t: f(vector(lib), argnums=(0, 1))(t(X), t(Y)),
           "of one": lambda lib, f, t: f(vector(lib), argnums=1)(t(X), t(Y)),
           "of structures": lambda lib, f, t: f(lambda d: {"p": (d["a"] * d["b"]).sum(1), "q": d["b"].prod()})(
               {"a": t(X), "b": t(Y)}),
           "with aux": lambda lib, f, t: f(lambda x: (x * x.sum(), x), has_aux=True)(t(Y)),
           "of a constant": lambda lib, f, t: f(lambda x: t(X))(t(Y)),
           "of 0-d": lambda lib, f, t: f(lambda x: x.sin())(t(S)),
       }.items()},
    "jacrev of jacfwd": lambda lib, f, t: f.jacrev(f.jacfwd(lambda x: (x**3).sum()))(t(Y)),
    "hessian": lambda lib, f, t: f.hessian(scalar(lib))(t(X), t(Y)),
    "hessian by both": lambda lib, f, t: f.hessian(scalar(lib), (0, 1))(t(X), t(Y)),
    "vmap": lambda lib, f, t: f.vmap(lib.dot)(t(X), t(X[::-1].copy())),
    "vmap over other dimensions": lambda lib, f, t: f.vmap(lib.mul, in_dims=(1, None), out_dims=-1)(t(X), t(Y[:2])),
    "vmap of one result in a tuple of dimensions": lambda lib, f, t: f.vmap(lambda x: x * 2, out_dims=(1,))(t(X)),
    "vmap of structures": lambda lib, f, t: f.vmap(lambda d, n: {"s": d["a"].sum(), "p": [d["b"] * n]},
                                                   in_dims=({"a": 0, "b": None}, None))({"a": t(X), "b": t(Y)}, 3),
    "vmap in vmap": lambda lib, f, t: f.vmap(f.vmap(lambda x, y: x * y), in_dims=(0, None))(t(X), t(Y)),
    "gradients of examples": lambda lib, f, t: f.vmap(f.grad(scalar(lib)), in_dims=(0, None))(t(X), t(Y)),
    "vmap by name": lambda lib, f, t: f.vmap(lambda x, y: x * y)(t(X), y=t(Y)),
    "vmap of constants": lambda lib, f, t: f.vmap(lambda x: t(Y))(t(X)),
    "vmap of no examples": lambda lib, f, t: f.vmap(lambda x: x.sum(-1))(t(np.zeros((0, 4, 3)))),
    "Jacobian by vmap": lambda lib, f, t: f.vmap(f.vjp(vector(lib), t(X), t(Y))[1])(t(np.eye(2))),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_is_pytorchs(name):
    both(PROGRAMS[name])


@pytest.mark.parametrize("call", [
    lambda f, t: f.grad(lambda x: x)(t(Y)), lambda f, t: f.grad(lambda x: 3)(t(Y)),
    lambda f, t: f.grad(lambda x: x.sum(), argnums=1)(t(Y)), lambda f, t: f.grad(lambda x: x.sum())(3),
    lambda f, t: f.grad(lambda x: x.sum(), argnums="a")(t(Y)),
    lambda f, t: f.grad(lambda x: x.sum(), has_aux=True)(t(Y)),
    lambda f, t: f.vjp(lambda x: (x, x), t(Y))[1](t(Y)), lambda f, t: f.jacrev(lambda x: 3)(t(Y)),
    lambda f, t: f.jvp(lambda x: x, t(Y), t(Y)), lambda f, t: f.jvp(lambda x: x, (t(Y),), (t(Y), t(Y))),
    lambda f, t: f.vmap(lambda x: 3)(t(Y)), lambda f, t: f.vmap(lambda x, y: x)(t(Y), t(X)),
    lambda f, t: f.vmap(lambda x: x, in_dims=None)(t(Y)), lambda f, t: f.vmap(lambda x, y: x, in_dims=(0,))(t(Y), t(Y)),
    lambda f, t: f.vmap(lambda x: x, in_dims=2)(t(Y)), lambda f, t: f.vmap(lambda x, n: x)(t(Y), 3),
    lambda f, t: f.vmap(lambda x: x, chunk_size=0)(t(Y)), lambda f, t: f.vmap(lambda x: x, randomness="x")(t(Y)),
    lambda f, t: f.grad(lambda x: x.sum(), ())(t(Y)), lambda f, t: f.jacrev(lambda x: x, chunk_size=0)(t(Y)),
    lambda f, t: f.vjp(lambda x: x.argmax(), t(Y)), lambda f, t: f.jacrev(lambda x: x > 0)(t(Y)),
    lambda f, t: f.vmap(lambda: 1)(), lambda f, t: f.vmap(lambda x: x, out_dims=(0, 1))(t(Y)),
])
def test_errors_are_pytorchs(call):
    with pytest.raises((RuntimeError, ValueError)) as expected:
        call(theirs, torch.tensor)
    with pytest.raises(expected.type) as found:
        call(ours, gpunet.tensor)
    assert str(found.value).replace("gpunet", "torch")[:60] == str(expected.value)[:60]


def test_results_belong_to_the_graph_outside_and_to_no_other():
    x, w = gpunet.tensor(X), gpunet.tensor(Y).requires_grad_()
    function = scalar(gpunet)
    assert not ours.grad(function)(x, w.detach()).requires_grad

    def collected(library, f, w):
        f.grad(lambda x: (x * w * x).sum())(library.tensor(X)).pow(2).sum().backward()
        f.grad(lambda v: (v**3).sum())(w).sum().backward()  # by the argument itself
        f.vmap(lambda v: v * v)(w).sum().backward()
        f.jvp(lambda v: v**3, (library.tensor(Y),), (w,))[1].sum().backward()
        return w.grad.numpy()

    np.testing.assert_allclose(collected(gpunet, ours, w), collected(torch, theirs, torch.tensor(Y).requires_grad_()))
    assert not ours.grad_and_value(lambda x: (x * x).sum())(x)[1].requires_grad
    assert x.grad is None and not x.requires_grad


def test_random_numbers_of_vmap():
    def noisy(x):
        return x + gpunet.rand(())

    x = gpunet.zeros(4)
    with pytest.raises(RuntimeError, match="randomness error mode"):
        ours.vmap(noisy)(x)
    assert len(set(ours.vmap(noisy, randomness="different")(x).tolist())) == 4
    assert len(set(ours.vmap(noisy, randomness="same")(x).tolist())) == 1


def test_of_a_module():
    """Each example's gradient: by vmap as by the passes of gpunet.privacy."""
    model = gpunet.nn.Sequential(gpunet.nn.Linear(3, 4), gpunet.nn.Tanh(), gpunet.nn.Linear(4, 1))
    x, weights = gpunet.tensor(X).float(), dict(model.named_parameters())

    def loss(weights, x):
        return ours.functional_call(model, weights, (x,)).sum()

    found = ours.vmap(ours.grad(loss), in_dims=(None, 0))(weights, x)
    with gpunet.privacy.PerSampleGradients(model, "sum"):
        model(x).sum().backward()
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(found[name].detach().numpy(), parameter.grad_sample.numpy(), rtol=1e-5, atol=1e-6)


def test_on_devices(device):
    x = gpunet.tensor(Y).float().to(device)
    np.testing.assert_allclose(ours.hessian(lambda x: (x.exp() * x).sum())(x).cpu().numpy(),
                               np.diag((Y + 2) * np.exp(Y)), rtol=1e-4, atol=1e-5)
