"""Attention by blocks against its NumPy body, and both against plain ops."""

import threading

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native
from gpunet.ops.attention import attention_op
from tests.native.near import assert_near, both
from tests.recorded import ops_called

# batch, heads, heads of keys, queries, keys, features, features of values
SIZES = [(1, 1, 1, 1, 1, 1, 1), (2, 3, 3, 5, 7, 4, 6), (1, 4, 2, 50, 50, 16, 16), (2, 2, 1, 70, 300, 8, 20),
         (1, 2, 2, 290, 130, 24, 32)]
MASKS = ["none", "causal", "bools", "numbers", "rows"]


def _mask(kind, sizes):
    batch, heads, _, queries, keys, _, _ = sizes
    rng = np.random.default_rng(1)
    if kind == "bools":
        seen = rng.random((queries, keys)) < 0.6
        seen[0] = False  # a query that sees nothing
        return gpunet.tensor(seen)
    if kind == "numbers":
        return gpunet.tensor(rng.standard_normal((batch, heads, queries, keys), np.float32) * 3)
    return gpunet.tensor(rng.random((batch, 1, 1, keys)) < 0.7) if kind == "rows" else None


def _run(sizes, kind, p=0.0):
    batch, heads, shared, queries, keys, features, wide = sizes
    rng = np.random.default_rng(0)
    leaves = [gpunet.tensor(rng.standard_normal(shape, np.float32), requires_grad=True)
              for shape in ((batch, queries, heads, features), (batch, keys, shared, features),
                            (batch, keys, shared, wide))]
    gpunet.manual_seed(3)
    gpunet.rand(5)
    out = F.scaled_dot_product_attention(*[x.transpose(1, 2) for x in leaves], _mask(kind, sizes), p, kind == "causal",
                                         enable_gqa=heads != shared)
    out.backward(gpunet.tensor(rng.standard_normal(out.shape, np.float32)))
    return [out.detach().numpy(), *(x.grad.numpy() for x in leaves)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", MASKS)
def test_agrees_with_the_body(sizes, kind):
    both(lambda: _run(sizes, kind), ulps=32)


@pytest.mark.parametrize("sizes", SIZES[1:4], ids=str)
@pytest.mark.parametrize("p", [0.3, 1.0])
def test_drops_the_same_weights(sizes, p):
    both(lambda: _run(sizes, "causal", p), ulps=32)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("p", [0.0, 0.4])
def test_agrees_with_plain_ops(kind, p, monkeypatch):
    found = _run(SIZES[2], kind, p)
    with native.disabled(), monkeypatch.context() as patch:
        patch.setattr("gpunet.ops.attention._is_fused", lambda *_: False)
        wanted = _run(SIZES[2], kind, p)
    for a, b in zip(found, wanted, strict=True):
        assert_near(a, b, ulps=32)


def test_second_derivatives():
    q, k, v = (gpunet.tensor(np.random.default_rng(i).standard_normal((1, 2, 4, 3), np.float32), requires_grad=True)
               for i in range(3))
    seconds = []
    for fused in (True, False):
        function = attention_op if fused else attention_op.op.via
        y = function(q, k, v, None, None, scale=0.5, causal=True, p=0.0, offset=0, turned=False)
        (first,) = gpunet.autograd.grad(((y[0] if fused else y) ** 2).sum(), q, create_graph=True)
        seconds.append([t.numpy() for t in gpunet.autograd.grad((first * first).sum(), (q, k, v))])
    for a, b in zip(*seconds, strict=True):
        assert_near(a, b, ulps=64)


def test_not_a_number_stays_in_its_row():
    q, k, v = (np.random.default_rng(i).standard_normal((1, 1, 60, 8), np.float32) for i in range(3))
    q[0, 0, 7, 2] = np.nan
    both(lambda: [F.scaled_dot_product_attention(*map(gpunet.tensor, (q, k, v))).numpy()], ulps=32)


@pytest.mark.parametrize("shared", [1, 2])  # query heads that share one of keys
def test_heads_of_one_projection_are_not_copied(shared):
    batch, length, heads, size = 2, 150, 4, 8
    x = gpunet.randn(batch, length, (heads + 2 * heads // shared) * size, requires_grad=True)
    down = gpunet.randn(batch, length, heads * size)

    def step(x, separate=False):
        q, *kv = (x * 1).view(batch, length, -1, size).split([heads, heads // shared, heads // shared], 2)
        q, k, v = (each.transpose(1, 2) for each in (q, *kv))
        if separate:
            q, k, v = (each.contiguous() for each in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=shared > 1)
        x.grad = None
        y.transpose(1, 2).reshape(down.shape).backward(down)
        return y.detach(), x.grad

    found = []
    names = ops_called(lambda: found.extend(step(x)))
    assert "clone" not in names
    for a, b in zip(found, step(x, separate=True), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_slices_are_joined_as_the_tensor_lay():
    x = gpunet.randn(3, 40, 2, 5, requires_grad=True)

    def step():
        a, b = (x * 1).permute(2, 0, 3, 1)  # the last dimension but one comes first
        (a * 2 - b.exp()).sum().backward()

    names = ops_called(step)
    assert "clone" not in names and x.grad.numpy().flags.c_contiguous
    right = x.detach().clone().requires_grad_()
    (right[:, :, 0] * 2 - right[:, :, 1].exp()).sum().backward()
    assert bool((x.grad == right.grad).all())


def test_autocast_in_another_thread_changes_nothing():
    entered, leave = threading.Event(), threading.Event()

    def other():
        with gpunet.autocast("cpu"):
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert entered.wait(60)
        q = gpunet.randn(1, 2, 5, 4)
        assert ops_called(lambda: F.scaled_dot_product_attention(q, q, q)) == ["attention"]
    finally:
        leave.set()
        thread.join()
