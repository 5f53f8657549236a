"""Gradients of views of one tensor: added up in one tensor of its size."""

import numpy as np
import pytest

import gpunet
from gpunet import autograd


@pytest.mark.parametrize("leaves", [True, False], ids=["of a leaf", "of a result"])
def test_gradients_of_views_are_added_where_they_belong(leaves):
    """Of overlapping views, in any order with gradients of the whole: sum(w * x) has the gradient w."""
    rng = np.random.default_rng(0)
    start = gpunet.tensor(rng.standard_normal((4, 6)), requires_grad=True)
    x, wanted, loss = start if leaves else start * 1, np.zeros((4, 6)), 0.0
    rows, columns = (slice(1, 3), slice(2, None)), (slice(None), slice(None, None, 2))
    for key in [(0,), (1,), slice(None), (0,), rows, columns, (3, 5)]:
        weight = rng.standard_normal(wanted[key].shape)
        wanted[key] += weight
        loss = loss + (x[key] * gpunet.tensor(weight)).sum()
    (found,) = autograd.grad(loss, start, retain_graph=True)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)
    loss.backward()
    np.testing.assert_allclose(start.grad.numpy(), wanted, atol=1e-12)


def test_parts_of_one_gradient_do_not_touch_what_the_user_holds():
    """Where a hook or the caller has the gradient of a view, other views' gradients leave it as it is."""
    x, held = gpunet.tensor([1.0, 2.0, 3.0], requires_grad=True), []
    first, second = (x * 2)[:2], (x * 2)[1:]
    first.register_hook(held.append)
    y = x * 1
    whole = y[:]
    whole.register_hook(held.append)
    (first.sum() + second.sum() + whole.sum() + y[0]).backward()
    assert [g.tolist() for g in held] in ([[1, 1], [1, 1, 1]], [[1, 1, 1], [1, 1]])
    assert x.grad.tolist() == [4, 5, 3]
