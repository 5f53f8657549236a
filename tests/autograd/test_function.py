"""Functions with their own backward."""

import gc
import weakref

import numpy as np
import pytest

import gpunet
from gpunet.autograd import Function, gradcheck, gradgradcheck


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


class Exp(Function):
    """Saves its output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class ScaledDifference(Function):
    """Two outputs, an argument that is no tensor, and an integer output."""

    @staticmethod
    def forward(ctx, x, y, factor):
        ctx.factor = factor
        biggest = x.argmax()
        ctx.mark_non_differentiable(biggest)
        return (x - y) * factor, x + y, biggest

    @staticmethod
    def backward(ctx, difference, total, _):
        assert ctx.needs_input_grad == (True, True, False)
        return difference * ctx.factor + total, total - difference * ctx.factor, None


class Identity(Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return -g


def inputs(*shapes):
    rng = np.random.default_rng(0)
    return [gpunet.tensor(rng.uniform(0.5, 2, s), requires_grad=True) for s in shapes]


@pytest.mark.parametrize(("call", "shapes"), [
    (Cube.apply, [(3, 2)]), (Exp.apply, [(4,)]), (lambda x: Exp.apply(Cube.apply(x) * x), [(2,)]),
    (lambda x, y: ScaledDifference.apply(x, y, 2.5)[:2], [(3,), (3,)]),
])
def test_gradients(call, shapes):
    assert gradcheck(call, inputs(*shapes)) and gradgradcheck(call, inputs(*shapes))


def test_an_unused_output_gets_zeros_or_none():
    x, y = inputs((2,), (2,))
    ScaledDifference.apply(x, y, 3.0)[1].sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [1, 1]

    class Second(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, first, second):
            assert first is None
            return second * 2

    assert gpunet.autograd.grad(Second.apply(x)[1].sum(), x)[0].tolist() == [2, 2]


def test_returning_the_argument():
    (x,) = inputs((2,))
    y = Identity.apply(x)
    y.sum().backward()
    assert y is not x and x.is_leaf and x.grad.tolist() == [-1, -1] and y.data_ptr() == x.data_ptr()


def test_nothing_is_recorded_without_need():
    assert not Cube.apply(gpunet.ones(2)).requires_grad
    (x,) = inputs((2,))
    with gpunet.no_grad():
        assert not Cube.apply(x).requires_grad
    y = Cube.apply(x)
    assert y.grad_fn.name() == "CubeBackward" and "Cube" in repr(y)


def test_saved_tensors_are_watched_and_freed():
    (x,) = inputs((2,))
    h = x * 1
    y = Cube.apply(h)
    h += 1
    with pytest.raises(RuntimeError, match="Cube: an input of shape .* was changed by an in-place operation"):
        y.sum().backward()
    y = Exp.apply(x)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="Exp: trying to go backward through the graph a second time"):
        y.sum().backward()


def test_no_cycles():
    (x,) = inputs((2,))
    gc.disable()
    try:
        for function in (Cube, Exp, Identity):
            y = function.apply(x)
            reference = weakref.ref(y.grad_fn)
            del y
            assert reference() is None
    finally:
        gc.enable()


def test_errors():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match="Wrong: backward returned 1 gradients, but forward took 2 arguments"):
        Wrong.apply(*inputs((2,), (2,))).sum().backward()
    with pytest.raises(NotImplementedError, match="define a static method forward"):
        Function.apply(gpunet.ones(1))
