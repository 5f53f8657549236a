"""The launches of kernels/attention.cu and attention_tensor.cu: attention and its gradient on the devices cuda and sim.

Half types take the tensor cores where the device has them for the type and rows come in 16-byte pieces.
"""

from __future__ import annotations

import functools
from math import prod
from typing import Any

import numpy as np

from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES
from gpunet.kernel import Kernel
from gpunet.ops.drawing import dropout_scale, dropout_threshold
from gpunet.ops.launching import THREADS, aligned, blocks_of

TYPES = (FLOAT32_NP, *HALF_TYPES)

_TILE = 64
_WIDTHS = (2, 4, 8)  # a thread's columns: 16 times as many are a block's
_HALF_WIDTH = 4  # for half types, which come here only where they have no tensor cores

# As in kernels/attention.cu.
_STEPS = [f"{name}_{along}" for name in ("q", "k", "v") for along in ("batch", "head", "row")]
_Shape = np.dtype([*((name, "i8") for name in _STEPS),
                   *((f"mask_{along}", "i8") for along in ("batch", "head", "row", "column")),
                   *((f"{name}_{along}", "i8") for name in ("out", "dq", "dk", "dv")
                     for along in ("batch", "head", "row")),
                   *((name, "i4") for name in ("heads", "group", "length", "source", "features", "wide", "mask_kind",
                                               "causal")),
                   ("scale", "f4"), ("kept_scale", "f4"), ("threshold", "u4"), ("unused", "u4")])



@functools.lru_cache(256)
def _shape(*values) -> Any:
    return np.array(values, _Shape)[()]


# On the tensor cores: a head's width in shared memory, and rows of the other tile, which for dk and dv are fewer where
# both results of a thread leave it few registers.
_TENSOR_THREADS = 128
_HEADS = ((32, 64), (64, 64), (128, 64), (256, 32))
_HEADS_BY_KEY = ((32, 64), (64, 64), (128, 32), (256, 32))
_COLUMNS = 128  # of dk and dv, that a block computes


def _instances():
    for dtype in TYPES:
        for width in _WIDTHS if dtype == FLOAT32_NP else (_HALF_WIDTH,):
            yield dtype, width


def _tensor_instances():
    return ((dtype, *head) for dtype in HALF_TYPES for head in _HEADS)


_attention = Kernel("attention.cu", "attention", instances=_instances)
_by_query = Kernel("attention.cu", "attention_by_query", instances=_instances)
_by_key = Kernel("attention.cu", "attention_by_key", instances=_instances)
_tensor = Kernel("attention_tensor.cu", "attention_tensor", instances=_tensor_instances)
_tensor_by_query = Kernel("attention_tensor.cu", "attention_tensor_by_query", instances=_tensor_instances)
_tensor_by_key = Kernel("attention_tensor.cu", "attention_tensor_by_key", instances=lambda: (
    (dtype, *head) for dtype in HALF_TYPES for head in _HEADS_BY_KEY))


def _heads(cuda, x):
    """`x` as [batch, heads, rows, features] with features in one piece."""
    if x.strides[-1] != x.itemsize and x.shape[-1] > 1 or x.ndim > 4:
        x = cuda.xp.ascontiguousarray(x)
    if x.ndim != 4:
        x = x.reshape(prod(x.shape[:-3]), *x.shape[-3:])
    return x


def _start(x):
    """What the kernels take as the pointer to an array of any strides: its first element."""
    return x[(0,) * x.ndim]


class _Call:
    """What the kernels take, from an op's arguments."""

    def __init__(self, cuda, query, key, value, mask, state, scale, causal, p, offset, turned):
        *lead, length, _ = query.shape
        q, k, v = [_heads(cuda, x) for x in (query, key, value)]
        self.batch, self.heads = q.shape[:2]
        self.shared_heads = k.shape[1]
        self.length, self.source, self.features, self.wide = length, k.shape[2], q.shape[3], v.shape[3]
        kind, steps = 0, (0, 0, 0, 0)
        if mask is not None:
            kind = 1 if mask.dtype == BOOL_NP else 2
            mask = cuda.xp.broadcast_to(mask, (*lead, length, self.source))
            if mask.ndim > 4:
                mask = cuda.xp.ascontiguousarray(mask)
            if mask.ndim != 4:
                mask = mask.reshape(self.batch, *mask.shape[-3:])
            steps = tuple([step // mask.itemsize for step in mask.strides])
        at = _shape(*[step // x.itemsize for x in (q, k, v) for step in x.strides[:3]], *steps,
                    *self.places(turned), self.heads,
                    self.heads // self.shared_heads, length, self.source, self.features, self.wide, kind, causal, scale,
                    dropout_scale(p), dropout_threshold(p), 0)
        self.inputs = (_start(q), _start(k), _start(v), None if mask is None else _start(mask), state, offset, at)
        self.widest = max(self.features, self.wide)
        self.width = next((width for width in _WIDTHS if 16 * width >= self.widest), _WIDTHS[-1])
        if query.dtype != FLOAT32_NP:
            self.width = _HALF_WIDTH
        self.tensor = self.widest <= _HEADS[-1][0] and _has_tensor_cores(cuda, query.dtype) and _in_chunks(q, k, v)
        if self.tensor:
            number = next(i for i, each in enumerate(_HEADS) if each[0] >= self.widest)
            self.by_query, self.by_key = _HEADS[number], _HEADS_BY_KEY[number]

    def places(self, turned):
        """The steps of out, dq, dk and dv."""
        queries, keys = (self.heads, self.length), (self.shared_heads, self.source)
        for (heads, rows), width in ((queries, self.wide), (queries, self.features), (keys, self.features),
                                     (keys, self.wide)):
            yield from (heads * rows * width, *((width, heads * width) if turned else (rows * width, width)))

    def grid(self, rows, heads, columns, width=None):
        return blocks_of(rows, _TILE), self.batch * heads, blocks_of(columns, width or 16 * self.width)



def _shared(tiles, head, other) -> int:
    """Bytes of shared memory: `tiles` of own rows, two of other rows, and two sums for each row."""
    return (tiles * _TILE + 2 * other) * head * 2 + 2 * _TILE * 4


def _has_tensor_cores(cuda, dtype) -> bool:
    return dtype in HALF_TYPES and cuda.capability >= 80


def _in_chunks(*arrays) -> bool:
    return aligned(*arrays) and all([n % 8 == 0 for x in arrays
                                     for n in (x.shape[3], *[step // x.itemsize for step in x.strides[:3]])])


def _serves(*arrays) -> bool:
    return arrays[0].dtype in TYPES and all([x.size for x in arrays])


def forward(cuda, out, log_sums, query, key, value, mask, state, *, scale, causal, p, offset, turned):
    if not _serves(query, key, value):
        return NotImplemented
    call = _Call(cuda, query, key, value, mask, state, scale, causal, p, offset, turned)
    if call.tensor:
        launch = _tensor.on(cuda, out.dtype, *call.by_query)
        launch(call.grid(call.length, call.heads, 1), _TENSOR_THREADS, out, log_sums, *call.inputs,
               shared=_shared(1, *call.by_query))
        return None
    _attention.on(cuda, out.dtype, call.width)(call.grid(call.length, call.heads, call.wide), THREADS, out, log_sums,
                                               *call.inputs)
    return None


def backward(cuda, dquery, dkey, dvalue, g, out, log_sums, query, key, value, mask, state, *, scale, causal, p, offset,
             turned):
    if not _serves(query, key, value):
        return NotImplemented
    call = _Call(cuda, query, key, value, mask, state, scale, causal, p, offset, turned)
    kind = (out.dtype, call.width)
    g, out = [x if x.flags.c_contiguous else cuda.xp.ascontiguousarray(x) for x in (g, out)]
    delta = cuda.empty(log_sums.shape, FLOAT32_NP)
    if call.tensor and aligned(g, out):
        launch = _tensor_by_query.on(cuda, out.dtype, *call.by_query)
        launch(call.grid(call.length, call.heads, 1), _TENSOR_THREADS, dquery, delta, g, out, log_sums, *call.inputs,
               shared=_shared(2, *call.by_query))
        launch = _tensor_by_key.on(cuda, out.dtype, *call.by_key)
        launch(call.grid(call.source, call.shared_heads, call.widest, _COLUMNS), _TENSOR_THREADS, dkey, dvalue, g,
               delta, log_sums, *call.inputs, shared=_shared(2, *call.by_key))
        return None
    _by_query.on(cuda, *kind)(call.grid(call.length, call.heads, call.features), THREADS, dquery, delta, g, out,
                              log_sums, *call.inputs)
    _by_key.on(cuda, *kind)(call.grid(call.source, call.shared_heads, call.widest), THREADS, dkey, dvalue, g, delta,
                            log_sums, *call.inputs)
    return None
