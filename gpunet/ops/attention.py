"""Scaled dot-product attention (Vaswani et al., "Attention Is All You Need", 2017)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet.dtypes import BOOL_NP, HALF_TYPES, bool_, float32
from gpunet.ops.conditions import where_op
from gpunet.ops.creation import ones
from gpunet.ops.dropout import dropout
from gpunet.ops.matmul import matmul_op
from gpunet.ops.softmax import softmax

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
    _check(query, key, value)
    if enable_gqa:
        key, value = _grouped(query, key), _grouped(query, value)
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    return matmul_op(dropout(weights, dropout_p), value, ta=False, tb=False)
