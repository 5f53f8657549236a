"""gradcheck and gradgradcheck find wrong gradients."""

import pytest

import gpunet
from gpunet.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def wrong(forward, backward):
    """A function with the given value and (wrong) derivative."""

    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return backward(g, ctx.saved_tensors[0])

    return Wrong.apply


def x64(*values):
    return gpunet.tensor(values, dtype=gpunet.float64, requires_grad=True)


@pytest.mark.parametrize("fast", [False, True])
def test_right_gradients_pass(fast):
    x, y = x64(0.5, -1.5, 2.0), x64(2.0, 0.7, 1.0)
    for function in (lambda a, b: a * b / (a * a + 1), lambda a, b: (a.sum(), a @ b),
                     lambda a, b: gpunet.stack([a, b]).T):
        assert gradcheck(function, (x, y), fast_mode=fast) and gradgradcheck(function, (x, y), fast_mode=fast)
    assert gradcheck(gpunet.tanh, x, fast_mode=fast)
    assert x.tolist() == [0.5, -1.5, 2.0] and x.grad is None and x.requires_grad


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("forward", "backward"), [
    (lambda x: x * x, lambda g, x: g * x),  # a forgotten factor
    (lambda x: x.exp(), lambda g, x: g),
    (lambda x: x * 2, lambda g, x: g * 2 + 0.01),
    (lambda x: x.flip(0), lambda g, x: g),  # the wrong place
    (lambda x: x.sum(), lambda g, x: g.expand(3) * 0),
])
def test_wrong_gradients_are_found(forward, backward, fast):
    function = wrong(forward, backward)
    with pytest.raises(GradcheckError,
                       match="gradcheck: the derivative of output 0 .*respect to input 0.* by backward.. but"):
        gradcheck(function, x64(0.3, 1.2, -0.7), fast_mode=fast)
    assert gradcheck(function, x64(0.3, 1.2, -0.7), fast_mode=fast, raise_exception=False) is False


def test_the_message_says_where():
    function = wrong(lambda x: x * x, lambda g, x: g * x * gpunet.tensor([2.0, 3.0], dtype=gpunet.float64))
    with pytest.raises(GradcheckError,
                       match=r"output 0 at \(1,\) with respect to input 0 at \(1,\) is 6 by backward\(\) but 4"):
        gradcheck(function, x64(1.0, 2.0))


def test_a_wrong_second_derivative_is_found():
    function = wrong(lambda x: x**3, lambda g, x: 3 * (x * x).detach() * g)  # right at first order
    assert gradcheck(function, x64(0.5, 2.0))
    assert not gradgradcheck(function, x64(0.5, 2.0), raise_exception=False)


def test_a_gradient_of_the_wrong_shape_or_type_is_found():
    with pytest.raises(RuntimeError, match=r"a gradient of shape \(1,\) for argument 0, whose shape is \(2,\)"):
        gradcheck(wrong(lambda x: x * 1, lambda g, x: g[:1]), x64(1.0, 2.0))
    with pytest.raises(GradcheckError, match="type gpunet.float32, its input .* gpunet.float64"):
        gradcheck(wrong(lambda x: x * 1, lambda g, x: g.float()), x64(1.0))


def test_what_cannot_be_checked():
    with pytest.raises(ValueError, match="at least one input must be a tensor that requires gradients"):
        gradcheck(gpunet.exp, gpunet.ones(2))
    with pytest.raises(RuntimeError, match="input 0 is expanded.*clone"):
        gradcheck(gpunet.exp, gpunet.ones(1, dtype=gpunet.float64).expand(3).requires_grad_())


def test_other_arguments_and_modules():
    layer = gpunet.nn.Linear(3, 2).double() if hasattr(gpunet.nn.Linear, "double") else None
    assert gradcheck(lambda x, k, s: x[k] * s, (x64(1.0, 2.0, 3.0), gpunet.tensor([0, 2]), 2.5))
    if layer is not None:
        x = gpunet.ones(4, 3, dtype=gpunet.float64)
        assert gradcheck(lambda *_: layer(x), list(layer.parameters()))
