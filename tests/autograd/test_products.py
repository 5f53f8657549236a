"""Gradients of products with something added."""

import pytest

import gpunet


@pytest.mark.parametrize("name, shapes", [
    ("addmm", [(2, 4), (2, 3), (3, 4)]), ("addmm", [(), (2, 3), (3, 4)]), ("addmv", [(2,), (2, 3), (3,)]),
    ("addr", [(1, 4), (2,), (4,)]), ("baddbmm", [(4,), (5, 2, 3), (5, 3, 4)]),
    ("addbmm", [(2, 1), (5, 2, 3), (5, 3, 4)])])
@pytest.mark.parametrize("alpha", [1, 0.5])
def test_an_input_that_does_not_count_has_gradient_0(name, shapes, alpha):
    """With beta 0, whatever is in it."""
    added = gpunet.full(shapes[0], float("nan"), requires_grad=True)
    factors = [gpunet.ones(shape, requires_grad=True) for shape in shapes[1:]]
    y = getattr(gpunet, name)(added, *factors, beta=0, alpha=alpha)
    y.sum().backward()
    assert not y.isnan().any()
    assert added.grad.shape == added.shape and (added.grad == 0).all()
    assert all((f.grad != 0).all() for f in factors)
    assert getattr(gpunet, name)(added, *(f.detach() for f in factors), beta=0).requires_grad
