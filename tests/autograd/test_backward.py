"""backward() and grad(): leaves, accumulation, graphs used twice, hooks, ownership of gradients."""

import numpy as np
import pytest

import gpunet
from gpunet import autograd


def leaf(*values, **options):
    return gpunet.tensor([float(v) for v in values], requires_grad=True, **options)


def values(t):
    return None if t is None else t.tolist()


# ---- leaves and accumulation


def test_leaves():
    x = leaf(1, 2)
    y = x * 2
    assert x.is_leaf and x.requires_grad and x.grad_fn is None and x.grad is None
    assert not y.is_leaf and y.requires_grad and y.grad_fn.name() == "MulBackward0"
    plain = gpunet.ones(2) * 2
    assert plain.is_leaf and not plain.requires_grad
    y.sum().backward()
    assert values(x.grad) == [2, 2] and y.grad is None and not x.grad.requires_grad


def test_gradients_accumulate_in_place():
    x = leaf(1, 2)
    (x * 2).sum().backward()
    kept = x.grad
    (x * 3).sum().backward()
    assert values(x.grad) == [5, 5] and x.grad is kept
    x.grad = None
    (x * x).sum().backward()
    assert values(x.grad) == [2, 4]


def test_a_tensor_used_many_times():
    x = leaf(3)
    y = x * x + x * 2 + x
    (y * y).sum().backward()
    assert values(x.grad) == [2 * 18 * 9]


def test_gradient_shapes_after_broadcasting():
    x, y, z = gpunet.ones(2, 1, 3, requires_grad=True), leaf(1, 2, 3), gpunet.tensor(2.0, requires_grad=True)
    (x * y * z).sum().backward()
    assert x.grad.shape == (2, 1, 3) and y.grad.shape == (3,) and z.grad.shape == ()
    assert values(y.grad) == [4, 4, 4] and values(z.grad) == 12


def test_gradient_argument():
    x = leaf(1, 2)
    (x * 2).backward(gpunet.tensor([1.0, 10.0]))
    assert values(x.grad) == [2, 20]
    with pytest.raises(RuntimeError, match=r"the gradient can be left out only for a tensor with one element, not for "
                                           r"shape \(2,\); pass gradient=, or reduce"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match=r"the gradient has shape \(3,\), the tensor \(2,\)"):
        (x * 2).backward(gpunet.ones(3))


def test_backward_of_a_leaf_and_of_a_constant():
    x = gpunet.tensor(3.0, requires_grad=True)
    x.backward()
    assert values(x.grad) == 1
    with pytest.raises(RuntimeError, match="does not require gradients and was not computed from one that does"):
        gpunet.ones(()).backward()


def test_integers_take_no_part():
    x = leaf(1, 2)
    indices = x.argmax()
    assert not indices.requires_grad and not (x > 1).requires_grad and not x.long().requires_grad
    assert x.to(gpunet.float64).requires_grad
    with pytest.raises(RuntimeError, match="only tensors of floating-point type can require gradients, this one is"):
        gpunet.ones(2, dtype=gpunet.int64, requires_grad=True)


def test_requires_grad_can_be_changed_on_leaves_only():
    x = leaf(1)
    assert x.requires_grad_(False) is x and not x.requires_grad
    x.requires_grad = True
    y = x * 2
    with pytest.raises(RuntimeError, match="can be turned off for leaf tensors only; use detach"):
        y.requires_grad = False
    assert y.requires_grad_() is y


# ---- a graph used twice


def test_second_backward_raises_and_names_the_op():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError,
                       match="mul: trying to go backward through the graph a second time.*retain_graph=True"):
        y.backward()


def test_retain_graph():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert values(x.grad) == [4, 8]


def test_what_saved_nothing_can_be_gone_through_again():
    x = leaf(1, 2)
    y = (x * 2 + 1).reshape(2, 1).sum()
    y.backward()
    y.backward()
    assert values(x.grad) == [4, 4]


# ---- grad()


def test_grad_stores_nothing():
    x, y = leaf(1, 2), leaf(3, 4)
    dx, dy = autograd.grad((x * y).sum(), [x, y])
    assert values(dx) == [3, 4] and values(dy) == [1, 2] and x.grad is None and y.grad is None
    assert not dx.requires_grad


def test_grad_of_intermediates():
    x = leaf(2)
    y = x * x
    z = y * y * x
    dy, dx = autograd.grad(z, [y, x])
    assert values(dy) == [2 * 4 * 2] and values(dx) == [5 * 2**4]


def test_grad_of_an_output_is_its_gradient():
    x = leaf(2)
    y = x * 3
    assert values(autograd.grad(y, y)[0]) == [1]
    x2 = gpunet.tensor(2.0, requires_grad=True)
    assert values(autograd.grad(x2, x2)[0]) == 1


def test_grad_of_several_outputs():
    x = leaf(1, 2)
    found = autograd.grad([x * 2, (x * x).sum()], x, [gpunet.tensor([1.0, 0.0]), None])
    assert values(found[0]) == [4, 4]
    with pytest.raises(RuntimeError, match="2 outputs but 1 grad_outputs; give one for each"):
        autograd.grad([x * 2, x * 3], x, [gpunet.ones(2)])


def test_unused_inputs():
    x, y = leaf(1), leaf(2)
    with pytest.raises(RuntimeError,
                       match=r"grad: the outputs do not depend on input 1 \(shape \(1,\)\).*allow_unused=True"):
        autograd.grad(x * 2, [x, y])
    assert autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    with pytest.raises(RuntimeError, match="one of the inputs does not require gradients"):
        autograd.grad(x * 2, [gpunet.ones(1)])
    assert [values(g) for g in autograd.grad(x * 2, [x, y], materialize_grads=True)] == [[2], [0]]
    with pytest.raises(ValueError, match="leave allow_unused out"):
        autograd.grad(x * 2, [x, y], allow_unused=False, materialize_grads=True)


def test_settings_of_grad_that_are_pytorchs_alone():
    x = leaf(1)
    with pytest.warns(FutureWarning, match="only_inputs is ignored"):
        assert values(autograd.grad(x * 2, x, only_inputs=False)[0]) == [2]
    with pytest.raises(NotImplementedError, match="call grad once for each vector"):
        autograd.grad(x * 2, x, gpunet.ones(3, 1), is_grads_batched=True)


def test_create_graph():
    x = leaf(2)
    (first,) = autograd.grad(x**4, x, create_graph=True)
    (second,) = autograd.grad(first, x, create_graph=True)
    (third,) = autograd.grad(second, x)
    assert (values(first), values(second), values(third)) == ([32], [48], [48])


def test_backward_with_create_graph_leaves_a_gradient_to_differentiate():
    x = leaf(2)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = autograd.grad(x.grad.sum(), x)
    assert values(second) == [12]


@pytest.mark.needs("torch")
def test_gradient_penalty():
    import torch

    results = []
    for library in (gpunet, torch):
        w = library.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True)
        x = library.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
        score = library.tanh(x @ w).sum()
        (slope,) = library.autograd.grad(score, x, create_graph=True)
        ((slope**2).sum() + score).backward()
        results.append((w.grad.tolist(), x.grad.tolist()))
    for ours, theirs in zip(*results, strict=True):  # sums of numbers that are as large as the largest of them
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


def test_backward_to_chosen_inputs():
    x, y = leaf(1), leaf(2)
    z = x * y
    w = z * 3
    w.backward(inputs=[x, z], retain_graph=True)
    assert values(x.grad) == [6] and y.grad is None and values(z.grad) == [3]
    w.backward(inputs=y)
    assert values(y.grad) == [3] and values(x.grad) == [6]


def test_autograd_backward_of_several_tensors():
    x = leaf(1, 2)
    autograd.backward([x * 2, (x * x).sum()], [gpunet.ones(2), None])
    assert values(x.grad) == [4, 6]


def test_only_the_way_to_the_inputs_is_walked():
    x, y = leaf(1), leaf(2)
    side = y * y
    seen = []
    side.register_hook(lambda g: seen.append("side"))
    autograd.grad(x * 2 + side, x)
    assert seen == []


# ---- hooks


def test_hooks_run_in_order_and_may_replace():
    x = leaf(1, 2)
    seen = []
    y = x * 3
    y.register_hook(lambda g: seen.append(("first", values(g))))
    y.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: seen.append(("third", values(g))))
    x.register_hook(lambda g: seen.append(("leaf", values(g))))
    y.sum().backward()
    assert seen == [("first", [1, 1]), ("third", [2, 2]), ("leaf", [6, 6])]
    assert values(x.grad) == [6, 6]


def test_leaf_hook_sees_the_whole_gradient_once():
    x = leaf(1)
    seen = []
    x.register_hook(lambda g: seen.append(values(g)))
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5]]


def test_hooks_can_be_removed():
    x = leaf(1)
    handle = x.register_hook(lambda g: g * 100)
    (x * 2).sum().backward()
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert values(x.grad) == [202]
    y = x * 1
    with y.register_hook(lambda g: g * 5):
        pass
    y.sum().backward()
    assert values(x.grad) == [203]


def test_a_hook_on_what_needs_no_gradient_raises():
    with pytest.raises(RuntimeError, match="require.* gradient"):
        gpunet.ones(1).register_hook(print)


def test_hooks_in_grad():
    x = leaf(1)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    assert values(autograd.grad(y, x, retain_graph=True)[0]) == [21]
    assert values(autograd.grad(y, y)[0]) == [10]


def test_retain_grad():
    x = leaf(1, 2)
    y = x * 3
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * y).sum().backward()
    assert values(y.grad) == [6, 12]
    x.retain_grad()  # nothing to do for a leaf
    with pytest.raises(RuntimeError, match="require.* gradient"):
        gpunet.ones(1).retain_grad()


def test_retained_gradient_of_the_loss_is_its_own():
    x = leaf(1, 2)
    for _ in range(2):
        loss = (x * 3).sum()
        loss.retain_grad()
        loss.backward()
        assert values(loss.grad) == 1
        loss.grad.zero_()
    assert values(x.grad) == [6, 6]


def test_a_gradient_changed_in_place_spoils_no_later_backward():
    x = gpunet.tensor(1.0, requires_grad=True)
    loss = x * 2
    loss.register_hook(lambda g: g.mul_(10))
    loss.backward()
    assert values(x.grad) == 20
    loss = x * 2
    autograd.grad(loss, loss)[0].zero_()
    loss = x * 2
    loss.backward()
    assert values(x.grad) == 22


def test_post_accumulate_hook():
    x = leaf(1)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, values(t.grad))))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    (x * 2).sum().backward()
    assert seen == [(True, [2]), (True, [4])]
    with pytest.raises(RuntimeError, match="only for leaf tensors"):
        (x * 2).register_post_accumulate_grad_hook(print)


def test_hook_errors_reach_the_caller_and_leave_the_modes():
    x = leaf(1)

    def bad(_):
        raise KeyError("from the hook")

    x.register_hook(bad)
    with pytest.raises(KeyError, match="from the hook"):
        (x * 2).sum().backward()
    assert gpunet.is_grad_enabled()


# ---- who owns a gradient


def test_two_leaves_with_one_gradient_do_not_share_it():
    x, y = leaf(1, 2), leaf(3, 4)
    (x + y).sum().backward()
    x.grad.zero_()
    assert values(y.grad) == [1, 1]
    a, b = leaf(1, 2), leaf(3, 4)
    (a + b).backward(gpunet.ones(2))
    a.grad.fill_(7)
    assert values(b.grad) == [1, 1]


def test_the_gradient_argument_is_not_taken_over():
    x = leaf(1, 2)
    seed = gpunet.ones(2)
    x.clone().backward(seed)
    x.grad.zero_()
    assert values(seed) == [1, 1]
    y = leaf(1, 2)
    y.backward(seed)
    y.grad.zero_()
    assert values(seed) == [1, 1]


def test_a_gradient_does_not_alias_saved_values():
    x, y = leaf(1, 2), leaf(3, 4)
    loss = (x * y).sum()
    loss.backward(retain_graph=True)
    x.grad.zero_()
    y.grad.zero_()
    loss.backward()
    assert values(x.grad) == [3, 4] and values(y.grad) == [1, 2] and values(y) == [3, 4]
    logits = gpunet.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    loss = gpunet.nn.functional.cross_entropy(logits, gpunet.tensor([1]))
    loss.backward(retain_graph=True)
    first = values(logits.grad)
    logits.grad.zero_()
    loss.backward()
    assert values(logits.grad) == first


def test_a_gradient_is_contiguous_and_of_the_leafs_layout():
    x = gpunet.ones(2, 3, requires_grad=True)
    x.t().expand(3, 2).sum().backward()
    assert x.grad.is_contiguous() and x.grad.stride() == (3, 1)
    y = gpunet.ones(3, requires_grad=True)
    y.sum().backward()  # the gradient is an expanded one
    y.grad += 1
    assert values(y.grad) == [2, 2, 2]


def test_view_gradients_do_not_share_memory():
    x = gpunet.ones(4, requires_grad=True)
    y = gpunet.ones(2, 2, requires_grad=True)
    (x.reshape(2, 2) + y).sum().backward()
    x.grad.zero_()
    assert values(y.grad) == [[1, 1], [1, 1]]


def test_assigned_gradients_are_used():
    x = leaf(1, 2)
    x.grad = gpunet.tensor([10.0, 10.0])
    (x * 2).sum().backward()
    assert values(x.grad) == [12, 12]


# ---- modes


def test_no_grad_as_context_and_decorators():
    x = leaf(1)

    @gpunet.no_grad()
    def with_parentheses():
        return x * 2

    @gpunet.no_grad
    def without():
        return x * 2

    @gpunet.enable_grad()
    def enabled():
        return x * 2

    with gpunet.no_grad():
        assert not gpunet.is_grad_enabled() and not (x * 2).requires_grad and enabled().requires_grad
        with gpunet.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert not with_parentheses().requires_grad and not without().requires_grad and (x * 2).requires_grad
    assert with_parentheses.__name__ == "with_parentheses"


def test_no_grad_on_generators():
    @gpunet.no_grad()
    def generator():
        received = yield gpunet.is_grad_enabled()
        try:
            yield received
        except KeyError:
            yield gpunet.is_grad_enabled()

    steps = generator()
    assert next(steps) is False and gpunet.is_grad_enabled()
    assert steps.send("hello") == "hello" and gpunet.is_grad_enabled()
    assert steps.throw(KeyError) is False and gpunet.is_grad_enabled()
    steps.close()


def test_a_mode_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), gpunet.no_grad():
        raise ZeroDivisionError
    assert gpunet.is_grad_enabled()


def test_modes_can_be_nested_and_used_again():
    mode = gpunet.no_grad()
    with mode:
        with mode:
            assert not gpunet.is_grad_enabled()
        assert not gpunet.is_grad_enabled()
    assert gpunet.is_grad_enabled()


def test_set_grad_enabled():
    x = leaf(1)
    for wanted in (False, True):
        with gpunet.set_grad_enabled(wanted):
            assert (x * 2).requires_grad is wanted
    assert gpunet.is_grad_enabled()
    gpunet.set_grad_enabled(False)
    assert not gpunet.is_grad_enabled()
    gpunet.set_grad_enabled(True)
    assert gpunet.is_grad_enabled()


def test_modes_belong_to_a_thread():
    import threading

    seen = []
    with gpunet.no_grad():
        thread = threading.Thread(target=lambda: seen.append(gpunet.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_inference_mode():
    x = leaf(1, 2)
    with gpunet.inference_mode():
        assert gpunet.is_inference_mode_enabled() and not gpunet.is_grad_enabled()
        made = x * 2
        assert made.is_inference() and not made.requires_grad
        made += 1
        view = made[0]
        assert view.is_inference()
    assert not x.is_inference() and values(made) == [3, 5]
    with pytest.raises(RuntimeError,
                       match="mul: a tensor made in inference_mode cannot take part in a backward pass; clone"):
        x * made
    assert (x * made.clone()).requires_grad and (x + made).requires_grad  # a sum keeps nothing
    with pytest.raises(RuntimeError, match="inference_mode cannot require gradients"):
        made.requires_grad_()

    @gpunet.inference_mode()
    def function():
        return x * 2

    assert function().is_inference()
    with gpunet.inference_mode(False):
        assert not gpunet.is_inference_mode_enabled()


def test_detach_shares_memory_and_version():
    x = leaf(1, 2)
    y = x * 1
    z = y * y
    d = y.detach()
    assert not d.requires_grad and d.is_leaf and d.grad_fn is None
    d[0] = 10
    assert values(y) == [10, 2]
    with pytest.raises(RuntimeError, match="mul: an input of shape .* was changed by an in-place operation after the "
                                           "forward pass.*clone"):
        z.sum().backward()


def test_detach_in_place():
    x = leaf(1, 2)
    y = x * 2
    y.detach_()
    assert y.is_leaf and not y.requires_grad and y.grad_fn is None


def test_data_changes_a_leaf_unnoticed():
    x = leaf(1, 2)
    y = x * x
    x.data[0] = 5
    x.data.add_(1)
    assert values(x) == [6, 3] and not x.data.requires_grad
    y.sum().backward()  # PyTorch's .data has a version of its own: nothing is noticed
    x.data = gpunet.tensor([7.0, 8.0])
    assert values(x) == [7, 8] and x.requires_grad and x.is_leaf


def test_leaves_are_changed_under_no_grad():
    x = leaf(1, 2)
    (x * x).sum().backward()
    with gpunet.no_grad():
        x -= 0.5 * x.grad
        x[0] = 9
    assert values(x) == [9, 0] and x.requires_grad and x.is_leaf and values(x.grad) == [2, 4]


def test_a_gradient_that_nobody_else_holds_is_not_copied():
    x = gpunet.ones(3, requires_grad=True)
    addresses = []

    class Watch(autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 1

        @staticmethod
        def backward(ctx, g):
            result = g * 1
            addresses.append(result.data_ptr())
            return result

    (Watch.apply(x) * 2).sum().backward()
    assert x.grad.data_ptr() == addresses[0]


def test_second_derivative_where_one_input_of_a_fused_op_is_made_of_another():
    """x * f + 3 f, as batch normalisation by running statistics: the gradient of f is sum(v * (x + 3))."""
    x, v = (gpunet.rand(5, 2, dtype=gpunet.float64, requires_grad=True) for _ in range(2))
    f = gpunet.rand(2, dtype=gpunet.float64, requires_grad=True)
    zeros, ones = (gpunet.full((2,), value, dtype=gpunet.float64) for value in (0.0, 1.0))
    y = gpunet.nn.functional.batch_norm(x, zeros, ones, f * 1, 3 * (f * 1), eps=0.0)
    (slope,) = gpunet.autograd.grad(y, f, v, create_graph=True)
    again = f * 1
    y = gpunet.nn.functional.batch_norm(x, zeros, ones, again, 3 * again, eps=0.0)
    (same,) = gpunet.autograd.grad(y, f, v, create_graph=True)
    for found in (slope, same):
        (of_v,) = gpunet.autograd.grad(found.sum(), v)
        assert gpunet.allclose(of_v, x + 3)
