"""Attention's kernels on the simulator against plain operations in float64: layouts, masks, heads, edges, dropout."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet.ops import attention, attention_launch

# batch, heads, heads of keys, queries, keys, features, features of values. Less than a tile, several, exact ones.
SIZES = [(2, 3, 3, 5, 7, 8, 16), (1, 4, 2, 64, 128, 16, 16), (1, 2, 1, 70, 130, 40, 24)]
MASKS = ["none", "causal", "bools", "numbers", "rows"]
RIGHT = {gpunet.float32: 2e-6, gpunet.float16: 2e-3, gpunet.bfloat16: 1.5e-2}  # norm of the error over the norm


def inputs(device, dtype, sizes, kind):
    batch, heads, shared, queries, keys, features, wide = sizes
    rng = np.random.default_rng(0)
    leaves = [gpunet.tensor(rng.standard_normal(shape, np.float32)).to(gpunet.bfloat16).to(device=device, dtype=dtype)
              .requires_grad_()  # the same numbers in every type
              for shape in ((batch, queries, heads, features), (batch, keys, shared, features),
                            (batch, keys, shared, wide), (batch, heads, queries, wide))]
    mask = None
    if kind == "bools":
        seen = rng.random((queries, keys)) < 0.6
        seen[0] = False  # a query that sees nothing
        mask = gpunet.tensor(seen, device=device)
    elif kind == "numbers":
        mask = gpunet.tensor(rng.standard_normal((batch, 1, queries, keys), np.float32)).to(gpunet.bfloat16)
        mask = mask.to(device=device, dtype=dtype)
    elif kind == "rows":
        mask = gpunet.tensor(rng.random((batch, 1, 1, keys)) < 0.7, device=device)
    return leaves, mask


def results(device, dtype, sizes, kind, p=0.0):
    """Output and gradients, of rows that lie apart: [batch, length, heads, features]; but of masks by bools of queries
    that do not, which results follow."""
    (*leaves, g), mask = inputs(device, dtype, sizes, kind)
    gpunet.manual_seed(3)
    gpunet.rand(5, device=device)
    query, key, value = [x.transpose(1, 2) for x in leaves]
    query = query.contiguous() if kind in ("bools", "rows") else query
    y = F.scaled_dot_product_attention(query, key, value, mask, p, kind == "causal", enable_gqa=sizes[1] != sizes[2])
    y.backward(g.detach())
    if device == "sim":
        assert y.is_contiguous() == query.is_contiguous()
    assert y.dtype == dtype and all(x.grad.dtype == dtype for x in leaves)
    return [x.detach().cpu().double().numpy() for x in (y, *(x.grad for x in leaves))]


def check(found, wanted, bound):
    for a, b in zip(found, wanted, strict=True):
        assert np.linalg.norm(a - b) <= bound * max(np.linalg.norm(b), 1e-3)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.bfloat16], ids=str)
def test_values_and_gradients(cuda, sizes, kind, dtype):
    check(results(cuda.type, dtype, sizes, kind), results("cpu", gpunet.float64, sizes, kind), RIGHT[dtype])


@pytest.mark.slow
def test_half_precision(cuda):
    sizes = SIZES[0]
    check(results(cuda.type, gpunet.float16, sizes, "causal"), results("cpu", gpunet.float64, sizes, "causal"),
          RIGHT[gpunet.float16])


@pytest.mark.parametrize("sizes", [(1, 1, 1, 9, 70, 136, 160), (1, 1, 1, 66, 40, 128, 96)], ids=str)
@pytest.mark.slow
def test_wide_heads_of_half_types(cuda, sizes):
    check(results(cuda.type, gpunet.bfloat16, sizes, "causal"), results("cpu", gpunet.float64, sizes, "causal"),
          RIGHT[gpunet.bfloat16])


@pytest.mark.parametrize("sizes", [(1, 1, 1, 9, 20, 136, 160)], ids=str)
@pytest.mark.slow
def test_wide_heads_in_single_precision(cuda, sizes):
    """More columns than a block computes."""
    check(results(cuda.type, gpunet.float32, sizes, "none"), results("cpu", gpunet.float64, sizes, "none"),
          RIGHT[gpunet.float32])


@pytest.mark.slow
def test_half_types_whose_rows_are_no_whole_pieces(cuda):
    sizes = (1, 2, 2, 5, 7, 5, 3)
    check(results(cuda.type, gpunet.bfloat16, sizes, "causal"), results("cpu", gpunet.float64, sizes, "causal"),
          RIGHT[gpunet.bfloat16])
    assert any("__nv_bfloat16" in name for name in attention_launch._attention.used())


@pytest.mark.parametrize("keys", [64, 37])
@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.bfloat16], ids=str)
def test_drops_what_dropout_of_all_weights_would_drop(cuda, monkeypatch, keys, dtype):
    """Where four neighbouring weights share a block of random words, and where they lie across two."""
    sizes = (1, 2, 1, 6, keys, 8, 8)
    found = results(cuda.type, dtype, sizes, "rows", 0.4)
    with monkeypatch.context() as patch:
        patch.setattr(attention, "_is_fused", lambda *_: False)
        wanted = results("cpu", gpunet.float64, sizes, "rows", 0.4)
    check(found, wanted, RIGHT[dtype])


def test_five_dimensions(cuda):
    q, k, v = (gpunet.tensor(np.random.default_rng(i).standard_normal((2, 1, 3, 5, 8), np.float32)) for i in range(3))
    mask = gpunet.tensor(np.random.default_rng(4).random((2, 1, 1, 5, 5)) < 0.8)
    found = F.scaled_dot_product_attention(*[x.to(cuda.type) for x in (q, k, v, mask)])
    wanted = F.scaled_dot_product_attention(*[x.double() for x in (q, k, v)], mask)
    np.testing.assert_allclose(found.cpu().numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_autocast_takes_the_half_type(cuda):
    q, k, v = (gpunet.tensor(np.random.default_rng(i).standard_normal((1, 2, 5, 8), np.float32)) for i in range(3))
    with gpunet.autocast(cuda.type, dtype=gpunet.bfloat16):
        y = F.scaled_dot_product_attention(*[x.to(cuda.type) for x in (q, k, v)])
    assert y.dtype == gpunet.bfloat16
    check([y.cpu().double().numpy()], [F.scaled_dot_product_attention(q, k, v).numpy()], RIGHT[gpunet.bfloat16])


def test_memory_grows_with_the_sequence(cuda):
    """What is kept for the way back beside the inputs: the result, and a number for each query."""
    q = gpunet.rand(1, 1, 256, 8, device=cuda.type, requires_grad=True)
    y, log_sums = attention.attention_op(q, q, q, None, None, scale=1.0, causal=False, p=0.0, offset=0, turned=False)
    assert log_sums.shape == (1, 1, 256) and y.shape == q.shape
    assert attention._is_fused(q, q, q, None, 0.0, False)


def test_not_a_number_stays_in_its_row(cuda):
    for dtype in (gpunet.float32, gpunet.bfloat16):
        q, k, v = (gpunet.tensor(np.random.default_rng(i).standard_normal((1, 1, 60, 8), np.float32)) for i in range(3))
        q[0, 0, 7, 2] = float("nan")
        y = F.scaled_dot_product_attention(*[x.to(device=cuda.type, dtype=dtype) for x in (q, k, v)]).cpu().float()
        assert y[0, 0, 7].isnan().all() and int(y.isnan().sum()) == 8


