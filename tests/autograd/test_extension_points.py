"""Function's options, hooks for what the graph saves, hooks of tensors: the same as in PyTorch."""

import numpy as np
import pytest

import gpunet
from gpunet.autograd import gradcheck, gradgradcheck
from gpunet.autograd.graph import save_on_cpu, saved_tensors_hooks
from tests.both import outcome, same_in_both


def scaled(lib):
    """forward without a context, and setup_context."""
    class Scaled(lib.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor, x.argmax()

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.factor = inputs
            ctx.save_for_backward(x, output[0])
            ctx.mark_non_differentiable(output[1])
            ctx.set_materialize_grads(False)

        @staticmethod
        def backward(ctx, g, none):
            x, y = ctx.saved_tensors
            assert none is None and ctx.needs_input_grad == (True, False)
            return g * ctx.factor + 0 * (x + y), None

    return Scaled


def set_up_context(lib):
    x = lib.tensor([1.0, 3.0], requires_grad=True)
    y, at = scaled(lib).apply(x, 4.0)
    y.sum().backward()
    return y, at, at.requires_grad, x.grad


def dirty(lib):
    class AddOne(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    leaf = lib.ones(3, requires_grad=True)
    x = leaf * 1
    same = AddOne.apply(x) is x
    (x * x).sum().backward()
    other = lib.ones(3, requires_grad=True)
    base = other * 2
    AddOne.apply(base[:2])  # the base gets the history of its view
    (base * base).sum().backward()
    plain = lib.zeros(2)
    untracked = AddOne.apply(plain) is plain
    return same, leaf.grad, base, other.grad, untracked, plain, outcome(AddOne.apply, lib.ones(1, requires_grad=True))


def dirty_not_returned(lib):
    class Wrong(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x.add_(1))
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g

    return outcome(Wrong.apply, lib.ones(1, requires_grad=True) * 1)


def once(lib):
    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x ** 2

        @staticmethod
        @lib.autograd.function.once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    x = lib.ones(2, requires_grad=True)
    (first,) = lib.autograd.grad((Square.apply(x) ** 2).sum(), x, create_graph=True)
    return first, first.requires_grad, outcome(lib.autograd.grad, first.sum(), x)


def outputs_that_are_no_tensors(lib):
    class Both(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            return x * 2, "text", None

        @staticmethod
        def backward(ctx, g, text, none):
            assert text is None and none is None
            return g * 2, None, None, None  # more than there are arguments, if None

    x = lib.ones(2, requires_grad=True)
    y, text, none = Both.apply(x, 1)
    y.sum().backward()
    return x.grad, text, none


def gradient_shapes(lib):
    class Given(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, shape):
            ctx.shape = shape
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return lib.ones(ctx.shape), None

    x = lib.ones(1, 2, requires_grad=True)
    Given.apply(x, (3, 2)).sum().backward()  # it is summed to the argument's shape
    return x.grad, outcome(Given.apply(x, (3,)).sum().backward)


def packed(lib):
    seen = []

    def pack(t):
        seen.append(t.numel())
        return t.detach().numpy().copy()

    x = lib.tensor([1.0, 2.0], requires_grad=True)
    with lib.autograd.graph.saved_tensors_hooks(pack, lambda kept: lib.tensor(kept)):
        y = (x * x).exp().sum()
    (first,) = lib.autograd.grad(y, x, create_graph=True)
    (second,) = lib.autograd.grad(first.sum(), x)
    with lib.autograd.graph.disable_saved_tensors_hooks("none here"):
        refused = outcome(lib.autograd.graph.saved_tensors_hooks(pack, pack).__enter__)
    return first, second, set(seen) == {2}, refused


def hooks_of_tensors(lib):
    x = lib.ones(2, requires_grad=True)
    seen = []
    handle = x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: seen.append(g.clone()))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    (x * 3).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    z = lib.ones(1, requires_grad=True)
    z.register_post_accumulate_grad_hook(lambda p: p.grad)
    return seen, x.grad, outcome((z * 1).sum().backward), outcome(lib.ones(1).register_hook, print)


@pytest.mark.parametrize("program", [set_up_context, dirty, dirty_not_returned, once, outputs_that_are_no_tensors,
                                     gradient_shapes, packed, hooks_of_tensors], ids=lambda program: program.__name__)
def test_as_in_pytorch(program):
    same_in_both(program)


def network(x, w):
    """Ops that save inputs, outputs, both, and spare ones, one of them fused."""
    h = gpunet.nn.functional.linear(x, w).tanh()
    return gpunet.nn.functional.layer_norm(h * h + h.softmax(-1), (2,)).sigmoid().split(1, 1)[0] * x.sum()


def test_packing_changes_no_gradient_of_any_order():
    rng = np.random.default_rng(0)
    inputs = [gpunet.tensor(rng.normal(size=s), requires_grad=True) for s in ((3, 4), (2, 4))]

    def kept_elsewhere(*inputs):
        with saved_tensors_hooks(lambda t: t.numpy().copy(), gpunet.tensor):
            return network(*inputs)

    assert gradcheck(kept_elsewhere, inputs) and gradgradcheck(kept_elsewhere, inputs)


def test_save_on_cpu(device):
    x = gpunet.tensor([1.0, 2.0], requires_grad=True, device=device)
    with save_on_cpu():
        y = x * x
    assert all(kept.packed[1].device.type == "cpu" for kept in y.grad_fn.saved)
    y.sum().backward()
    assert x.grad.tolist() == [2, 4] and x.grad.device.type == device


def test_packed_values_are_freed_and_may_be_checkpointed():
    x = gpunet.ones(2, requires_grad=True)
    with saved_tensors_hooks(lambda t: t, lambda t: t):
        y = x * x
        z = gpunet.utils.checkpoint.checkpoint(lambda x: (x * x).exp(), x)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 + 2 * np.exp([1, 1]), rtol=1e-6)


def test_sentences():
    class Number(gpunet.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return 3

    x = gpunet.ones(1, requires_grad=True)
    with pytest.raises(TypeError, match="Number: backward must return tensors or None, got int for argument 0"):
        Number.apply(x).backward()
    with saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x * x
    with pytest.raises(TypeError, match="the unpack hook must return a tensor, got int"):
        y.backward()
