"""The launches of kernels/recurrent.cu: `sequence` and its gradient on the devices cuda and sim."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP, HALF_TYPES
from gpunet.kernel import Kernel
from gpunet.ops.launching import THREADS, blocks_of
from gpunet.ops.linear import linear_op
from gpunet.ops.matmul import matmul_op
from gpunet.ops.pointwise import cast

CELLS = {"lstm": 0, "gru": 1, "rnn_tanh": 2, "rnn_relu": 3}  # as kernels/recurrent.cu and recurrent.cpp have them
_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}

_LANES = 4  # that share a hidden unit
# Elements of a row of the recurrent weight that a lane keeps in its registers.
_DEPTHS = {FLOAT32_NP: (16, 24), FLOAT64_NP: (8,)}
_SHARED = 48 * 1024  # bytes of dynamic shared memory that every GPU has


def _whole():
    return ((dtype, *each) for dtype, depths in _DEPTHS.items() for each in product(CELLS.values(), depths))


def _steps():
    return product(_DEPTHS, CELLS.values())


_forward = Kernel("recurrent.cu", "sequence_forward", instances=_whole)
_backward = Kernel("recurrent.cu", "sequence_backward", instances=_whole)
_step = Kernel("recurrent.cu", "sequence_step", instances=_steps)
_step_grad = Kernel("recurrent.cu", "sequence_step_grad", instances=_steps)


def _depth(dtype, hidden) -> int | None:
    """The least depth with which a block has room for the weight; None if there is none."""
    return next((depth for depth in _DEPTHS[dtype] if hidden <= _LANES * depth), None)


def _rows(cuda, batch, each) -> int:
    """Of the batch, for a block, where each takes so many bytes of shared memory. Results do not depend on it."""
    return min(blocks_of(batch, cuda.sm_count), _SHARED // each)


def _at(array, t):
    """The array's part of a step; None of an array that this cell does not have."""
    return array[t] if array is not None and array.size else None


def _times(count, reverse):
    return range(count - 1, -1, -1) if reverse else range(count)


def _in_float32(outputs: int) -> Callable:
    """Decorator: half types are computed in float32, so that the states keep what a step adds to them. A launch
    converts each array, where every step by plain ops would take dozens."""
    def declare(launch: Callable) -> Callable:
        def call(cuda: Any, *arrays: Any, **options: Any) -> Any:
            if arrays[0].dtype not in HALF_TYPES:
                return launch(cuda, *arrays, **options)
            wide = [cuda.empty(x.shape, FLOAT32_NP) if x is not None and (i < outputs or x.dtype in HALF_TYPES) else x
                    for i, x in enumerate(arrays)]
            for there, x in zip(wide[outputs:], arrays[outputs:], strict=True):
                if there is not x and x.size:
                    cast(cuda, there, x, dtype=FLOAT32_NP)
            launch(cuda, *wide, **options)
            for out, there in zip(arrays, wide[:outputs], strict=False):
                if out.size:
                    cast(cuda, out, there, dtype=out.dtype)
            return None

        return call

    return declare


@_in_float32(outputs=2)
def forward(cuda, states, saved, x, state, weight, bias, lengths, *, cell, reverse):
    dtype, times, (batch, size), hidden = x.dtype, len(x), state.shape, weight.shape[1]
    if dtype not in _DEPTHS:
        return NotImplemented
    if not states.size:
        return None
    depth = _depth(dtype, hidden)
    if depth is None:
        return _forward_steps(cuda, states, saved, x, state, weight, bias, lengths, cell, reverse)
    each = (2 * _LANES * depth + size - hidden) * dtype.itemsize
    rows = _rows(cuda, batch, each)
    _forward.on(cuda, dtype, CELLS[cell], depth)(
        blocks_of(batch, rows), 32 * blocks_of(_LANES * hidden, 32), states, saved, x, state, weight, bias, lengths,
        times, batch, hidden, rows, reverse, shared=rows * each)
    return None


def _forward_steps(cuda, states, saved, x, state, weight, bias, lengths, cell, reverse):
    """A matrix product and a kernel for each step."""
    (batch, size), hidden = state.shape, weight.shape[1]
    products = cuda.empty((batch, len(weight)), x.dtype)
    narrow = size > hidden  # h lies beside c, but the product needs it alone
    h = cuda.empty((batch, hidden), x.dtype) if narrow else state
    if narrow:
        h[...] = state[:, :hidden]
    launch = _step.on(cuda, x.dtype, CELLS[cell])
    for t in _times(len(x), reverse):
        linear_op.op.launch(cuda, products, h, weight, bias)
        launch(blocks_of(batch * hidden, THREADS), THREADS, states[t], _at(saved, t), h if narrow else None, x[t],
               products, state, lengths, t, batch, hidden)
        state = states[t]
        h = h if narrow else state


@_in_float32(outputs=3)
def backward(cuda, dx, dh, dstate, g, states, saved, state, weight, lengths, *, cell, reverse):
    dtype, times, (batch, size), hidden = g.dtype, len(states), state.shape, weight.shape[1]
    if dtype not in _DEPTHS:
        return NotImplemented
    if not states.size:
        dstate.fill(0)
        return None
    dproducts = dh if dh.size else None
    depth = _depth(dtype, hidden)
    if depth is None:
        return _backward_steps(cuda, dx, dproducts, dstate, g, states, saved, state, weight, lengths, cell, reverse)
    each = (2 * _GATES[cell] * _LANES * depth + size) * dtype.itemsize
    rows = _rows(cuda, batch, each)
    _backward.on(cuda, dtype, CELLS[cell], depth)(
        blocks_of(batch, rows), 32 * blocks_of(_LANES * hidden, 32), dx, dproducts, dstate, g, states, saved, state,
        weight, lengths, times, batch, hidden, rows, reverse, shared=rows * each)
    return None


def _backward_steps(cuda, dx, dproducts, dstate, g, states, saved, state, weight, lengths, cell, reverse):
    batch, hidden = len(state), weight.shape[1]
    launch, grid = _step_grad.on(cuda, g.dtype, CELLS[cell]), blocks_of(batch * hidden, THREADS)
    room, carry = cuda.empty((batch, hidden), g.dtype), None
    gates = dx if dproducts is None else dproducts
    order = list(_times(len(states), not reverse))
    for t, earlier in zip(order, [*order[1:], None], strict=True):
        launch(grid, THREADS, dx[t], _at(dproducts, t), dstate, carry, g[t], states[t], _at(saved, t),
               state if earlier is None else states[earlier], lengths, t, batch, hidden)
        matmul_op.op.launch(cuda, room, gates[t], weight)
        carry = room
    launch(grid, THREADS, None, None, dstate, carry, None, None, None, None, None, 0, batch, hidden)
