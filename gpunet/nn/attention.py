"""Attention with several heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpunet.dtypes import BOOL_NP
from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.attention_kinds import SDPBackend, sdpa_kernel
from gpunet.nn.common_types import Device, DType
from gpunet.nn.linear import Linear
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.ops.attention import attention_weights
from gpunet.ops.compare import where
from gpunet.ops.join import cat
from gpunet.tensor import Tensor

__all__ = ["MultiheadAttention", "SDPBackend", "sdpa_kernel"]


def as_added(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """A mask as numbers to add to scores: a bool mask, True where nothing is to be seen, as 0 and -infinity."""
    if mask is None:
        return None
    if mask._array.dtype == BOOL_NP:
        return where(mask, -math.inf, like.new_zeros(()))
    if not mask.is_floating_point():
        raise RuntimeError(f"MultiheadAttention: a mask must be bool or floating-point, got {mask.dtype}")
    return mask.to(like.dtype)


class MultiheadAttention(Module):
    """Attention in several heads: `softmax(Q K^T / sqrt(head_dim)) V` for each head, on its own projections Q, K and V
    of the inputs; the heads' outputs are joined and projected.

    Source: Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        embed_dim: features of the query and of the output.
        num_heads: the number of heads, which divides embed_dim.
        dropout: the probability that a weight becomes 0, in training.
        bias: whether the projections have biases.
        add_bias_kv: add one learned element to keys and values.
        add_zero_attn: add one element of zeros to keys and values.
        kdim: features of the key; None for embed_dim.
        vdim: features of the value; None for embed_dim.
        batch_first: whether the batch is dimension 0 rather than 1.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        query [L, N, embed_dim], key [S, N, kdim], value [S, N, vdim]; with batch_first [N, L, ...]; or without N.
        Output: a pair of [L, N, embed_dim], laid out like the query, and the weights [N, L, S] or None.

    Attributes:
        in_proj_weight: [3 embed_dim, embed_dim]; or q_proj_weight, k_proj_weight and v_proj_weight, if kdim or vdim
            differ.
        in_proj_bias: [3 embed_dim], or None.
        out_proj: the last projection, a Linear.

    Raises:
        ValueError: num_heads does not divide embed_dim.
        RuntimeError: inputs or masks whose shapes do not fit.

    Examples:
        >>> attention = nn.MultiheadAttention(8, 2, batch_first=True)
        >>> x = gpunet.randn(4, 5, 8)
        >>> output, weights = attention(x, x, x)
        >>> output.shape, weights.shape
        (gpunet.Size([4, 5, 8]), gpunet.Size([4, 5, 5]))
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
                 vdim: int | None = None, batch_first: bool = False, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError("MultiheadAttention: embed_dim and num_heads must be greater than 0, got "
                             f"{embed_dim} and {num_heads}")
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim {embed_dim} must be divisible by num_heads {num_heads}")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn

        def parameter(wanted: bool, *shape: int) -> Parameter | None:
            return Parameter(creation.empty(shape, device=device, dtype=dtype)) if wanted else None

        joint = self.kdim == embed_dim and self.vdim == embed_dim
        for name, size in (("q_proj_weight", embed_dim), ("k_proj_weight", self.kdim), ("v_proj_weight", self.vdim)):
            self.register_parameter(name, parameter(not joint, embed_dim, size))
        self.register_parameter("in_proj_weight", parameter(joint, 3 * embed_dim, embed_dim))
        self.register_parameter("in_proj_bias", parameter(bias, 3 * embed_dim))
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.register_parameter("bias_k", parameter(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", parameter(add_bias_kv, 1, 1, embed_dim))
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if getattr(self, name) is not None:
                init.xavier_uniform_(getattr(self, name))
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
                need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """The attended values, and the weights.

        Args:
            query: what looks; see the class for the shapes.
            key: what is compared with the query.
            value: what is averaged.
            key_padding_mask: [N, S], True for keys to ignore, or numbers to add to the scores.
            need_weights: return the weights; without them the fused kernel runs.
            attn_mask: [L, S] or [N * num_heads, L, S], True where a query must not look, or numbers to add to the
                scores.
            average_attn_weights: return the mean of the weights over the heads rather than [N, num_heads, L, S].
            is_causal: a hint that attn_mask is causal; it must be given all the same.

        Returns:
            The output, and the weights or None.
        """
        if is_causal and attn_mask is None:
            raise RuntimeError("MultiheadAttention: is_causal is a hint about attn_mask, which must be given too")
        self._check(query, key, value)
        batched, is_self = query.ndim == 3, query is key and key is value
        if not batched:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        q, k, v = self._project(query, key, value, is_self)  # [batch, length, embed_dim]
        mask = self._mask(as_added(attn_mask, q), as_added(key_padding_mask, q), len(q), q.shape[1], k.shape[1])
        extra = 0
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (cat([x, b.expand(len(x), 1, -1)], 1) for x, b in ((k, self.bias_k), (v, self.bias_v)))
            extra += 1
        if self.add_zero_attn:
            k, v = (cat([x, x.new_zeros(len(x), 1, self.embed_dim)], 1) for x in (k, v))
            extra += 1
        if mask is not None and extra:
            mask = F.pad(mask, (0, extra))
        q, k, v = (x.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2) for x in (q, k, v))
        rate = self.dropout if self.training else 0.0
        if need_weights:
            weights = F.dropout(attention_weights(q, k, mask), rate)
            out = weights @ v
        else:
            weights, out = None, F.scaled_dot_product_attention(q, k, v, mask, rate)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        out = out.squeeze(0) if not batched else out if self.batch_first else out.transpose(0, 1)
        if weights is not None:
            weights = weights.mean(1) if average_attn_weights else weights
            weights = weights if batched else weights.squeeze(0)
        return out, weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        shapes = tuple(query.shape), tuple(key.shape), tuple(value.shape)
        sizes = self.embed_dim, self.kdim, self.vdim
        if len({len(s) for s in shapes}) > 1 or len(shapes[0]) not in (2, 3):
            raise RuntimeError("MultiheadAttention: query, key and value must have 2 dimensions, or 3 with a batch; "
                               f"got shapes {shapes[0]}, {shapes[1]}, {shapes[2]}")
        if any(shape[-1] != size for shape, size in zip(shapes, sizes, strict=True)):
            raise RuntimeError(f"MultiheadAttention: expected {sizes[0]}, {sizes[1]} and {sizes[2]} features of query, "
                               f"key and value, got shapes {shapes[0]}, {shapes[1]}, {shapes[2]}")
        if shapes[1][:-1] != shapes[2][:-1]:
            raise RuntimeError("MultiheadAttention: key and value must have the same length and batch, got shapes "
                               f"{shapes[1]} and {shapes[2]}")

    def _project(self, query: Tensor, key: Tensor, value: Tensor, is_self: bool) -> Sequence[Tensor]:
        biases: Any = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        weights: Any
        if self.in_proj_weight is None:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        elif is_self:  # one product
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        else:
            weights = self.in_proj_weight.chunk(3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def _mask(self, mask: Tensor | None, padding: Tensor | None, batch: int, length: int,
              source: int) -> Tensor | None:
        """Both masks as one that broadcasts to [batch, heads, length, source], or None."""
        if mask is not None:
            shape = tuple(mask.shape)
            if shape == (length, source):
                mask = mask.reshape(1, 1, length, source)
            elif shape == (batch * self.num_heads, length, source):
                mask = mask.reshape(batch, self.num_heads, length, source)
            else:
                raise RuntimeError(f"MultiheadAttention: expected an attn_mask of shape {(length, source)} or "
                                   f"{(batch * self.num_heads, length, source)}, got {shape}")
        if padding is not None:
            if tuple(padding.shape) != (batch, source):
                raise RuntimeError(f"MultiheadAttention: expected a key_padding_mask of shape {(batch, source)}, got "
                                   f"{tuple(padding.shape)}")
            ignored = padding.reshape(batch, 1, 1, source)
            mask = ignored.expand(batch, 1, length, source) if mask is None else mask + ignored
        return mask
