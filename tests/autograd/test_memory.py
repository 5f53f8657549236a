"""Graphs are freed when they are done with, without the garbage collector, however deep they are."""

import gc
import subprocess
import sys
import weakref

import pytest

import gpunet


@pytest.fixture(autouse=True)
def _no_collector():
    """Reference counts alone must free everything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def model(x, w):
    h = gpunet.relu(x @ w)
    h = h[:, 1:].reshape(-1) * 2
    return (h.softmax(0) * h).sum() + gpunet.nn.functional.cross_entropy(x @ w, gpunet.tensor([0, 1]))


def test_backward_frees_saved_values():
    x = gpunet.ones(4, requires_grad=True)
    hidden = x * 2
    array = weakref.ref(hidden.exp()._array)
    assert array() is None  # nobody holds it
    y = hidden.exp()
    array, loss = weakref.ref(y._array), (y * y).sum()
    del y
    assert array() is not None
    loss.backward()
    assert array() is None


def test_dropping_the_result_frees_the_graph():
    x, w = gpunet.rand(2, 3, requires_grad=True), gpunet.rand(3, 4, requires_grad=True)
    for backward in (False, True):
        loss = model(x, w)
        node = weakref.ref(loss.grad_fn)
        if backward:
            loss.backward()
        del loss
        assert node() is None


def test_tensors_are_freed_at_once():
    x = gpunet.rand(2, 3, requires_grad=True)
    made = [x * 2, x[0], x.t(), x.sum(), x.softmax(1), x.max(1).values, x.detach(), gpunet.cat([x, x]), x[[0]]]
    made[0] += 1
    made[6].zero_()
    made += [m.grad_fn for m in made if m.grad_fn is not None and hasattr(m.grad_fn, "backward")]
    references = [weakref.ref(m) for m in made]
    del made
    assert [r() for r in references] == [None] * len(references)


def test_create_graph_is_freed():
    x = gpunet.rand(3, requires_grad=True)
    (g,) = gpunet.autograd.grad((x**3).sum(), x, create_graph=True)
    node = weakref.ref(g.grad_fn)
    g.sum().backward()
    del g
    assert node() is None


def test_hooks_and_retained_gradients_make_no_cycle():
    x = gpunet.rand(3, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g)
    reference = weakref.ref(y)
    del y
    assert reference() is None


def test_views_of_a_living_base_do_not_pile_up():
    x = gpunet.zeros(4)
    for _ in range(1000):
        x[0]
    assert len(x._version) < 100


def test_deep_graph():
    x = gpunet.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1


def test_a_wide_graph_is_walked_once():
    x = gpunet.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(60):  # 2^60 paths
        y = (y + y) * 0.5
    y.backward()
    assert x.grad.item() == 1


DEEP = """
import gpunet, threading
def run():
    x = gpunet.tensor(1.0, requires_grad=True)
    for make in (lambda y: y + 1, lambda y: y * 1.0, lambda y: y.reshape(1).reshape(()), lambda y: gpunet.exp(y) * 0):
        y = x
        for _ in range(30_000):
            y = make(y)
        del y                      # never walked back: destructors alone
    y = x * 1
    for _ in range(10_000):
        y += 1                     # in place, with every version's history
    y.backward()
    y = gpunet.ones(2, requires_grad=True) * 1
    for _ in range(3_000):
        y = y[:]                   # a view of a view of a view
    y.sum().backward()
threading.stack_size(2 * 2**20)    # a thread may have little stack
t = threading.Thread(target=run); t.start(); t.join()
print("done")
"""


def test_dropping_a_deep_graph_does_not_overflow_the_stack():
    found = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=300)
    assert found.stdout == "done\n" and found.returncode == 0, found.stderr[-2000:]
