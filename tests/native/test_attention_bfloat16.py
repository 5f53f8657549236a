"""Attention of bfloat16: what is computed on the way is not rounded, for any mask and number of threads."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native
from tests.native.test_attention import MASKS, SIZES, _mask

# Features and lengths that fill tiles, or stand over by one.
MORE = [(2, 4, 2, 64, 128, 32, 32), (1, 2, 2, 65, 129, 33, 17), (1, 1, 1, 300, 257, 64, 64)]


def _leaves(sizes):
    batch, heads, shared, queries, keys, features, wide = sizes
    rng = np.random.default_rng(0)
    shapes = ((batch, queries, heads, features), (batch, keys, shared, features), (batch, keys, shared, wide))
    leaves = [gpunet.tensor(rng.standard_normal(shape, np.float32)).bfloat16() for shape in shapes]
    return leaves, gpunet.tensor(rng.standard_normal((batch, heads, queries, wide), np.float32)).bfloat16()


def _run(leaves, g, mask, causal, p=0.0, kind="bfloat16"):
    own = [x.clone().to(getattr(gpunet, kind)).requires_grad_() for x in leaves]
    gpunet.manual_seed(3)
    if mask is not None and mask.dtype is not gpunet.bool:
        mask = mask.bfloat16().to(own[0].dtype)
    out = F.scaled_dot_product_attention(*[x.transpose(1, 2) for x in own], mask, p, causal,
                                         enable_gqa=own[0].shape[2] != own[1].shape[2])
    assert out.dtype is own[0].dtype
    out.backward(g.to(out.dtype))
    return [x.float().numpy() for x in (out.detach(), *(x.grad for x in own))]


def _exact(leaves, g, mask, causal, rounded):
    """In float64. The gradients are those that come of the rounded result, which is what the forward pass keeps."""
    q, k, v = (x.double().numpy().swapaxes(1, 2) for x in leaves)
    group = q.shape[1] // k.shape[1]
    wide_k, wide_v = (x.repeat(group, 1) for x in (k, v))
    scale, g, rounded = q.shape[-1] ** -0.5, g.double().numpy(), rounded.astype(np.float64)
    scores = q @ wide_k.swapaxes(-1, -2) * scale
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    elif mask is not None:
        own = mask.numpy() if mask.dtype is gpunet.bool else mask.bfloat16().double().numpy()
        scores = np.where(own, scores, -np.inf) if mask.dtype is gpunet.bool else scores + own
    top = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = weights.sum(-1, keepdims=True)
    weights /= np.where(total, total, 1)
    by_scores = weights * (g @ wide_v.swapaxes(-1, -2) - (g * rounded).sum(-1, keepdims=True)) * scale
    shared = [(left.swapaxes(-1, -2) @ right).reshape(*k.shape[:2], group, k.shape[2], -1).sum(2)
              for left, right in ((by_scores, q), (weights, g))]
    return [weights @ wide_v, *(x.swapaxes(1, 2) for x in (by_scores @ wide_k, *shared))]


def _agree(found, exact, slack=(1e-5, 1e-5, 1e-5)):
    """The exact results, rounded: where these lie near the middle of two numbers, either."""
    for a, b, more in zip(found, exact, (1e-5, *slack), strict=True):
        assert (np.abs(a - b) <= np.abs(b) * 2**-8 * 1.01 + more * max(1, np.abs(b).max())).all()


LOOSE = (6 * 2**-9, 6 * 2**-9, 1e-5)  # of gradients that come of the rounded result, beside those of the exact one


@pytest.mark.parametrize("sizes", SIZES + MORE, ids=str)
@pytest.mark.parametrize("kind", MASKS)
def test_rounds_once(sizes, kind, with_threads):
    leaves, g = _leaves(sizes)
    mask, causal = _mask(kind, sizes), kind == "causal"
    with_threads(lambda: np.concatenate([x.ravel() for x in _run(leaves, g, mask, causal)]))
    found = _run(leaves, g, mask, causal)
    _agree(found, _exact(leaves, g, mask, causal, found[0]))


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_drops_the_same_weights(p):
    leaves, g = _leaves(SIZES[4])
    _agree(_run(leaves, g, None, False, p), _run(leaves, g, None, False, p, "float32"), LOOSE)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_the_body_does_the_same(kind):
    leaves, g = _leaves(SIZES[2])
    exact = _run(leaves, g, None, True, kind="float32")
    with native.disabled():
        _agree(_run(leaves, g, None, True, kind=kind), exact, LOOSE)


def test_as_pytorch():
    torch = pytest.importorskip("torch")
    leaves, g = _leaves((2, 3, 3, 100, 140, 40, 24))
    theirs = [torch.tensor(x.double().numpy(), requires_grad=True) for x in leaves]
    out = torch.nn.functional.scaled_dot_product_attention(*[x.transpose(1, 2) for x in theirs])
    out.backward(torch.tensor(g.double().numpy()))
    _agree(_run(leaves, g, None, False), [x.numpy() for x in (out.detach(), *(x.grad for x in theirs))], LOOSE)


@pytest.mark.parametrize("numbers", [["inf"], ["-inf", "inf", "nan"]], ids=str)
@pytest.mark.parametrize("where", ["value", "gradient"])
@pytest.mark.parametrize("sizes", [(1, 2, 1, 40, 1, 8, 20), (2, 2, 2, 70, 150, 33, 24)], ids=str)
@pytest.mark.filterwarnings("ignore:.*encountered")
def test_infinities_stay_infinite(sizes, where, numbers):
    """What is infinite or NaN in float64, is so here: parts of weights that are 0 make no NaN of it."""
    (q, k, v), g = _leaves(sizes)
    row = v[0, 0, 0] if where == "value" else g[0, 1, 2]
    for i, number in enumerate(numbers):
        row[3 + 2 * i] = float(number)
    found = _run((q, k, v), g, None, False)
    for a, b in zip(found, _exact((q, k, v), g, None, False, found[0]), strict=True):
        np.testing.assert_array_equal(np.where(np.isfinite(a), 0, a), np.where(np.isfinite(b), 0, b))
    assert np.isinf(found[0 if where == "value" else 3]).any()
