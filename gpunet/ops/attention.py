"""Scaled dot-product attention (Vaswani et al., "Attention Is All You Need", 2017)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import random
from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, bool_, float32
from gpunet.engine.extensions import extensions
from gpunet.native import Native
from gpunet.native.halves import in_float32
from gpunet.ops import attention_launch
from gpunet.ops.conditions import where_op
from gpunet.ops.creation import ones
from gpunet.ops.drawing import dropout_op, dropout_scale, dropout_threshold
from gpunet.ops.dropout import dropout
from gpunet.ops.matmul import matmul_op, pair_types
from gpunet.ops.rules import accumulator, broadcast
from gpunet.ops.softmax import softmax
from gpunet.ops.views import _permute

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _check(query, key, value):
    q, k, v = query._array.shape, key._array.shape, value._array.shape
    if min(len(q), len(k), len(v)) < 2:
        raise RuntimeError("scaled_dot_product_attention: query, key and value need at least 2 dimensions "
                           f"(length, features), got shapes {q}, {k}, {v}")
    if q[-1] != k[-1] or k[-2] != v[-2]:
        raise RuntimeError("scaled_dot_product_attention: query and key must have the same features, key and value the "
                           f"same length; got shapes {q}, {k}, {v}")
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError("scaled_dot_product_attention: query, key and value must have one type, got "
                           f"{query.dtype}, {key.dtype}, {value.dtype}")


def _grouped(query, x):
    """Keys or values of fewer heads, each repeated for the group of query heads that shares it."""
    heads, own = query._array.shape[-3], x._array.shape[-3]
    if own == heads:
        return x
    if not own or heads % own:
        raise RuntimeError(f"scaled_dot_product_attention: with enable_gqa the query's {heads} heads must be a "
                           f"multiple of the {own} of key and value")
    shape = x._array.shape
    x = x.unsqueeze(-3).expand(*shape[:-2], heads // own, *shape[-2:])
    return x.reshape(*shape[:-3], heads, *shape[-2:])


def attention_weights(query: Tensor, key: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False,
                      scale: float | None = None) -> Tensor:
    """softmax(query key^T scale + mask): [..., query length, key length]. Rows that see nothing are 0."""
    dtype, scale = query.dtype, 1 / math.sqrt(max(1, query._array.shape[-1])) if scale is None else scale
    if query._array.dtype in HALF_TYPES:  # rounded, scores would lose what softmax tells apart
        query, key = query.to(float32), key.to(float32)
    scores = matmul_op(query * scale, key, ta=False, tb=True)
    if is_causal:
        attn_mask = ones(*scores._array.shape[-2:], dtype=bool_, device=query.device).tril()
    if attn_mask is None:
        return softmax(scores, -1).to(dtype)
    is_bool = attn_mask._array.dtype == BOOL_NP
    scores = where_op(attn_mask, scores, -math.inf) if is_bool else scores + attn_mask
    blind = (scores == -math.inf).all(-1, keepdim=True)  # where softmax would give NaN
    return where_op(blind, 0.0, softmax(where_op(blind, 0.0, scores), -1)).to(dtype)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:
    """Attention: y = softmax(query key^T * scale + mask) value.

    A query that may look nowhere gives 0.

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        query: tensor of a floating-point type, shape (..., length, features).
        key: tensor of query's type, shape (..., source length, features).
        value: tensor of query's type, shape (..., source length, value features).
        attn_mask: tensor that broadcasts to (..., length, source length): bools, True where a query may look, or
            numbers that are added to the scores.
        dropout_p: share of the weights that is set to 0, always: pass 0.0 in evaluation.
        is_causal: let a query look only at its own place and those before it.
        scale: factor of the scores; 1 / sqrt(features) if None.
        enable_gqa: key and value may have fewer heads (the third last dimension), each shared by a group of query heads
            (Ainslie et al., 2023).

    Returns:
        Tensor of shape (..., length, value features).

    Raises:
        RuntimeError: shapes or types do not fit each other, or both attn_mask and is_causal are given.

    Example:
        >>> query = gpunet.tensor([[0.0, 0.0]])
        >>> key, value = gpunet.tensor([[1.0, 0.0], [0.0, 1.0]]), gpunet.tensor([[1.0], [2.0]])
        >>> gpunet.nn.functional.scaled_dot_product_attention(query, key, value)
        tensor([[1.5000]])
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError("scaled_dot_product_attention: give either attn_mask or is_causal, not both")
    if extensions.autocast is not None:  # the three take one type, whatever rotary embeddings and the like have made
        query, key, value = extensions.autocast(matmul_op.op, (query, key, value))
    _check(query, key, value)
    if _is_fused(query, key, value, attn_mask, dropout_p, enable_gqa):
        state, offset = None, 0
        if dropout_p:
            q = query._array
            state, offset = random.default_generator.draw(
                query._device, random.blocks_of(q.size // max(1, q.shape[-1]) * key._array.shape[-2], FLOAT32_NP))
        scale = 1 / math.sqrt(max(1, query._array.shape[-1])) if scale is None else float(scale)
        turned = _is_turned(query)
        y = attention_op(query, key, value, attn_mask, state, scale=scale, causal=is_causal, p=float(dropout_p),
                         offset=offset, turned=turned)[0]
        return _permute(y, dims=_TURN) if turned else y
    if enable_gqa:
        key, value = _grouped(query, key), _grouped(query, value)
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    return matmul_op(dropout(weights, dropout_p), value, ta=False, tb=False)


# ---- one op, for the kernels: nothing of the size of the scores is kept ----------------------------------------------


def _is_fused(query, key, value, mask, p, grouped) -> bool:
    """Whether the fused op does it: in float32 and half types, with a mask that needs no gradient."""
    arrays = q, k, v = query._array, key._array, value._array
    if not 0 <= p <= 1:
        return False
    if any([x.dtype not in attention_launch.TYPES or x.ndim < 3 or not x.size for x in arrays]):
        return False
    if k.shape[:-2] != v.shape[:-2] or q.shape[:-3] != k.shape[:-3]:
        return False
    if q.shape[-3] != k.shape[-3] and (not grouped or q.shape[-3] % k.shape[-3]):
        return False
    if mask is None:
        return True
    if mask._requires_grad or mask._device is not query._device or mask._array.dtype not in (BOOL_NP, q.dtype):
        return False
    scores = (*q.shape[:-1], k.shape[-2])
    return broadcast(mask._array.shape, scores) == scores


_TURN = (0, 2, 1, 3)


def _is_turned(query) -> bool:
    """Whether heads lie behind rows in memory, as where one projection gives all heads. Results and gradients are then
    made as those of the projections are, so that nobody has to copy them."""
    array = query._array
    return array.ndim == 4 and array.strides[1] < array.strides[2]


def _in_memory(shape, turned):
    return tuple([shape[i] for i in _TURN]) if turned else shape


def _outputs(query, key, value, mask, state, *, turned, **_):
    lead = query.shape[:-1]
    return (_in_memory((*lead, value.shape[-1]), turned), query.dtype), (lead, accumulator(query.dtype))


def _repeated(xp, query, *shared):
    group = query.shape[-3] // shared[0].shape[-3]
    return shared if group == 1 else [xp.repeat(x, group, -3) for x in shared]


def _wide(*arrays: Any) -> list[Any]:
    """Half types compute in float32."""
    return [x if x is None or x.dtype not in HALF_TYPES else x.astype(FLOAT32_NP) for x in arrays]


def _scores(xp, query, key, mask, scale, causal):
    scores = xp.matmul(query * query.dtype.type(scale), xp.swapaxes(key, -1, -2))
    if causal:
        mask = xp.tri(*scores.shape[-2:], dtype=bool)
    if mask is None:
        return scores
    return xp.where(mask, scores, -math.inf) if mask.dtype == BOOL_NP else scores + mask


def _dropped(weights, state, p, offset):
    """0 where a weight is dropped, else what it is multiplied with: as dropout of all weights does it."""
    words = random.words(state, offset, random.blocks_of(weights.size, FLOAT32_NP)).reshape(-1)[: weights.size]
    kept = (words >> 8) >= dropout_threshold(p)
    return (kept * weights.dtype.type(dropout_scale(p))).reshape(weights.shape)


@op(_outputs, outputs=2, strided=True)
def attention_op(xp, out, log_sums, query, key, value, mask, state, *, scale, causal, p, offset, turned):
    """softmax(query key^T scale + mask) value, and the logarithm of each row's sum of exponentials. key and value may
    have fewer heads than query. state and offset: where the dropped weights begin in the stream of random numbers; a
    state of None drops none. turned: the result is [batch, rows, heads, features]."""
    out = out.transpose(_TURN) if turned else out
    query, key, value, mask = _wide(query, key, value, mask)
    key, value = _repeated(xp, query, key, value)
    scores = _scores(xp, query, key, mask, scale, causal)
    top = xp.max(scores, -1, keepdims=True)
    top = xp.where(top == -math.inf, 0, top)
    weights = xp.exp(scores - top)
    total = xp.sum(weights, -1, keepdims=True)
    blind = total == 0
    xp.copyto(log_sums, xp.where(blind, math.inf, top + xp.log(xp.where(blind, 1, total)))[..., 0])
    weights /= xp.where(blind, 1, total)
    if state is not None:
        weights *= _dropped(weights, state, p, offset)
    xp.copyto(out, xp.matmul(weights, value), casting="unsafe")


def _input_gradients(g, out, log_sums, query, key, value, mask, state, *, turned, **_):
    return [(_in_memory(x.shape, turned), x.dtype) for x in (query, key, value)]


@op(_input_gradients, outputs=3, differentiable=False, strided=True)
def attention_grad(xp, dquery, dkey, dvalue, g, out, log_sums, query, key, value, mask, state, *, scale, causal, p,
                   offset, turned):
    """The gradients of attention_op, turned like the result. With W the weights and D the factors of dropout:
    dV = (W D)^T g, dS = W (D g V^T - sum of g out), dQ = dS K scale, dK = dS^T Q scale."""
    if turned:
        dquery, dkey, dvalue, g, out = [x.transpose(_TURN) for x in (dquery, dkey, dvalue, g, out)]
    g, out, query, key, value, mask = _wide(g, out, query, key, value, mask)
    keys, values = _repeated(xp, query, key, value)
    weights = xp.exp(_scores(xp, query, keys, mask, scale, causal) - log_sums[..., None])
    by_weights = xp.matmul(g, xp.swapaxes(values, -1, -2))
    used = weights
    if state is not None:
        dropped = _dropped(weights, state, p, offset)
        used = weights * dropped
        by_weights *= dropped
    by_scores = weights * (by_weights - xp.sum(g * out, -1, keepdims=True)) * query.dtype.type(scale)
    xp.copyto(dquery, xp.matmul(by_scores, keys), casting="unsafe")
    for to, left, right in ((dkey, by_scores, query), (dvalue, used, g)):
        each = xp.matmul(xp.swapaxes(left, -1, -2), right)
        xp.copyto(to, xp.sum(each.reshape(*to.shape[:-2], -1, *to.shape[-2:]), -3), casting="unsafe")


@attention_op.gradient
def _(gradients, out, log_sums, query, key, value, mask, state, **options):
    g = gradients[0]
    if g is None:
        return (None,) * 5
    found = attention_grad(g.contiguous(), out, log_sums, query, key, value, mask, state, **options)
    return *([_permute(x, dims=_TURN) for x in found] if options["turned"] else found), None, None


@attention_op.composition
def _(query, key, value, mask, state, *, scale, causal, p, offset, turned):
    if key._array.shape[-3] != query._array.shape[-3]:
        key, value = _grouped(query, key), _grouped(query, value)
    weights = attention_weights(query, key, mask, causal, scale)
    if state is not None:
        weights = dropout_op(weights, state, p=p, offset=offset)[0]
    y = matmul_op(weights, value, ta=False, tb=False)
    return _permute(y, dims=_TURN) if turned else y


attention_op.kernel(attention_launch.forward)
attention_grad.kernel(attention_launch.backward)

_attention, _attention_grad = (Native("attention.cpp", name) for name in ("attention", "attention_grad"))
_attention_bfloat16 = Native("attention_bfloat16.cpp", "attention_bfloat16")
_attention_bfloat16_grad = Native("attention_bfloat16.cpp", "attention_bfloat16_grad")


def _steps(x) -> list[int] | None:
    """An array's strides but the last, in elements; None if the last dimension does not lie in one piece."""
    if x.strides[-1] != x.itemsize and x.shape[-1] > 1:
        return None
    return [step // x.itemsize for step in x.strides[:-1]]


def _described(query, key, value, mask, state, scale, causal, p, offset, turned):
    """What both kernels take after arrays of their own; None for strides that they do not take."""
    strides = [_steps(x) for x in (query, key, value)]
    if None in strides:
        return None
    *lead, length, features = query.shape
    kind, mask_strides = 0, None
    if mask is not None:
        wide = np.broadcast_to(mask, (*lead, length, key.shape[-2]))
        kind, mask_strides = 1 if mask.dtype == BOOL_NP else 2, [step // mask.itemsize for step in wide.strides]
    return (query, key, value, *strides, mask, kind, mask_strides, state, offset, dropout_threshold(p),
            dropout_scale(p), lead, len(lead), math.prod(lead), lead[-1] // key.shape[-3], length, key.shape[-2],
            features, value.shape[-1], scale, causal, turned)


def _on_cpu(operation, outputs):
    """Declares an op's native kernel, function(kernel for bfloat16 or not, *arrays): of float32, of bfloat16 where the
    processor multiplies it; half types are else converted."""
    def declare(function):
        wide = in_float32(lambda *arrays, **options: function(False, *arrays, **options), outputs)

        @operation.cpu(strided=True, types=())  # it looks itself: logarithms are of float32 beside half types
        def call(*arrays, **options):
            dtype = arrays[0].dtype
            if dtype == FLOAT32_NP:
                return function(False, *arrays, **options)
            if dtype not in HALF_TYPES:
                return NotImplemented
            if dtype.name in pair_types():
                return function(True, *arrays, **options)
            return wide(*arrays, **options)

        return call

    return declare


@_on_cpu(attention_op, 2)
def _(narrow, out, log_sums, query, key, value, mask, state, *, scale, causal, p, offset, turned):
    described = _described(query, key, value, mask, state, scale, causal, p, offset, turned)
    if described is None:
        return NotImplemented
    (_attention_bfloat16 if narrow else _attention)(out, log_sums, *described)
    return None


@_on_cpu(attention_grad, 3)
def _(narrow, dquery, dkey, dvalue, g, out, log_sums, query, key, value, mask, state, *, scale, causal, p, offset,
      turned):
    described = _described(query, key, value, mask, state, scale, causal, p, offset, turned)
    if described is None or not (g.flags.c_contiguous and out.flags.c_contiguous):
        return NotImplemented
    (_attention_bfloat16_grad if narrow else _attention_grad)(dquery, dkey, dvalue, g, out, log_sums, *described)
    return None
