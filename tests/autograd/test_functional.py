"""Jacobians, Hessians and their products against PyTorch."""

import numpy as np
import pytest

import gpunet
from gpunet.autograd import functional

torch = pytest.importorskip("torch")
theirs = torch.autograd.functional

A, B = np.random.default_rng(0).normal(size=(2, 3)), np.random.default_rng(1).normal(size=3)

# name: function of the library, which returns a function of tensors; the values of its inputs (a tuple: several)
VECTORS = {
    "element by element": (lambda lib: lambda x: x.exp() * x, A),
    "product": (lambda lib: lambda x, y: x @ (y * y), (A, B)),
    "two outputs": (lambda lib: lambda x, y: (x.sum(1), (x * y).sin()), (A, B)),
    "one output in a tuple": (lambda lib: lambda x: (x * x,), B),
    "unused input": (lambda lib: lambda x, y: x * 2, (A, B)),
    "0-d": (lambda lib: lambda x: x**3, np.array(2.0)),
}
SCALARS = {
    "cubic": (lambda lib: lambda x: (x**3).sum(), A),
    "two inputs": (lambda lib: lambda x, y: ((x @ y).exp() * y.sum()).sum(), (A / 4, B / 4)),
    "linear": (lambda lib: lambda x, y: (x * 2).sum() + y.prod(), (A, B)),
    "one element": (lambda lib: lambda x: x.sin(), np.array(0.7)),
    "softmax": (lambda lib: lambda x: lib.log_softmax(x, 1)[:, 0].sum(), A),
}


def tensors(library, values, grad=False):
    if isinstance(values, tuple):
        return tuple(tensors(library, v, grad) for v in values)
    t = library.tensor(values)
    return t.requires_grad_() if grad else t


def like(values, seed=2):
    rng = np.random.default_rng(seed)
    return tuple(like(v, seed + i) for i, v in enumerate(values)) if isinstance(values, tuple) else np.asarray(
        rng.normal(size=np.shape(values)))


def assert_same(a, b):
    if isinstance(b, tuple):
        assert isinstance(a, tuple) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert tuple(a.shape) == tuple(b.shape)
        assert a.requires_grad == b.requires_grad
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name, case", [
    *[("jacobian", case) for case in VECTORS], *[("vjp", case) for case in VECTORS],
    *[("jvp", case) for case in VECTORS], *[("hessian", case) for case in SCALARS],
    *[("vhp", case) for case in SCALARS], *[("hvp", case) for case in SCALARS],
])
def test_is_pytorchs(name, case, create_graph):
    make, values = (VECTORS | SCALARS)[case]
    arguments = ()
    if name == "vjp":
        outputs = make(torch)(*([*tensors(torch, values)] if isinstance(values, tuple) else [tensors(torch, values)]))
        shapes = tuple(np.zeros(y.shape) for y in outputs) if isinstance(outputs, tuple) else np.zeros(outputs.shape)
        arguments = (like(shapes),)
    elif name in ("jvp", "vhp", "hvp"):
        arguments = (like(values),)
    found = []
    for library, module in ((gpunet, functional), (torch, theirs)):
        inputs = tensors(library, values, grad=create_graph)
        extra = tuple(tensors(library, a) for a in arguments)
        answer = getattr(module, name)(make(library), inputs, *extra, create_graph=create_graph)
        found.append(answer)
    if name in ("vhp", "hvp") and create_graph:  # PyTorch leaves a graph where the product is a constant
        found = [_plain(answer) for answer in found]
    assert_same(*found)


def _plain(value):
    return tuple(_plain(v) for v in value) if isinstance(value, tuple) else value.detach()


def test_can_be_differentiated_again():
    """The gradient of a Jacobian, a Hessian and the products, with create_graph, against finite differences."""
    x = gpunet.tensor(B).requires_grad_()
    v = gpunet.tensor(like(B)).requires_grad_()

    def f(x):
        return x.exp() * x.sum()

    def scalar(x):
        return (x.exp() * x.sum()).sum()

    for function in (lambda x: functional.jacobian(f, x, create_graph=True),
                     lambda x: functional.hessian(scalar, x, create_graph=True),
                     lambda x, v: functional.vjp(f, x, v, create_graph=True)[1],
                     lambda x, v: functional.jvp(f, x, v, create_graph=True)[1],
                     lambda x, v: functional.vhp(scalar, x, v, create_graph=True)[1],
                     lambda x, v: functional.hvp(scalar, x, v, create_graph=True)[1]):
        inputs = [x, v][: function.__code__.co_argcount]
        assert gpunet.autograd.gradcheck(function, inputs)


def test_vector_of_one_element_may_be_left_out():
    x = gpunet.tensor([2.0])
    assert functional.vjp(lambda x: x**2, x)[1].tolist() == functional.jvp(lambda x: x**2, x)[1].tolist() == [4]
    assert functional.hvp(lambda x: x**3, x)[1].tolist() == [12]
    with gpunet.no_grad():
        assert functional.jacobian(lambda x: x**2, x).tolist() == [[4]]


X = np.ones(2)


@pytest.mark.parametrize("name, function, arguments, options", [
    ("jacobian", lambda x: x.detach(), (X,), {"strict": True}),
    ("jacobian", lambda x, y: x * 2, ((X, X),), {"strict": True}),
    ("jacobian", lambda x: x * 2, (X,), {"strict": True, "create_graph": True}),
    ("jacobian", lambda x: 3, (X,), {}),
    ("jacobian", lambda x: (x, 3), (X,), {}),
    ("vjp", lambda x: x * 2, (X,), {}),
    ("vjp", lambda x: x * 2, (X, np.ones(3)), {}),
    ("vjp", lambda x: (x, x), (X, X), {}),
    ("jvp", lambda x: x * 2, (X,), {}),
    ("jvp", lambda x, y: x * y, ((X, X), X), {}),
    ("jvp", lambda x: x.detach(), (X, X), {"strict": True}),
    ("hessian", lambda x: x * 2, (X,), {}),
    ("hessian", lambda x: (x * 2).sum(), (X,), {"strict": True}),
    ("vhp", lambda x: x * 2, (X, X), {}),
    ("vhp", lambda x: x.sum(), (X, X), {"strict": True}),
])
def test_errors_are_pytorchs(name, function, arguments, options):
    for library, module in ((torch, theirs), (gpunet, functional)):
        with pytest.raises((RuntimeError, TypeError)) as info:
            getattr(module, name)(function, *[tensors(library, a) for a in arguments], **options)
        if library is torch:
            kind, text = info.type, str(info.value)
    assert info.type is kind
    assert str(info.value)[:30] == text[:30]


def test_forward_mode_is_refused():
    with pytest.raises(NotImplementedError, match="reverse-mode"):
        functional.jacobian(lambda x: x, gpunet.ones(2), strategy="forward-mode")
    with pytest.raises(NotImplementedError, match="reverse-mode"):
        functional.hessian(lambda x: x.sum(), gpunet.ones(2), outer_jacobian_strategy="forward-mode")
