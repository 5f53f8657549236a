"""Recurrent layers over a whole sequence: the cells of Elman, LSTM and GRU, each one op with its gradient.

The product with the input has been formed for all times at once; what is left, and cannot be done at once, is

    state[t] = step(x[t], h[t-1] W^T + b, state[t-1])

A state is h, and for an LSTM h and c side by side: [batch, states * hidden]. Where a sequence is over its state stays
as it is, in both directions of time, so that the last state of every sequence stands at one end.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gpunet.dispatch import op
from gpunet.dtypes import HALF_TYPES
from gpunet.native import Native
from gpunet.ops import recurrent_launch
from gpunet.ops.activation import relu_op, sigmoid_op
from gpunet.ops.compare import where
from gpunet.ops.join import cat, stack
from gpunet.ops.linear import column_sum, linear
from gpunet.ops.matmul import matmul_op
from gpunet.ops.trigonometry import tanh

# ---- one step, as arrays: forward fills `state` and what the way back needs, backward goes through it ---------------


def _parts(x, count):
    """The array's last dimension in equal parts, as views."""
    size = x.shape[-1] // count
    return [x[..., i * size : (i + 1) * size] for i in range(count)]


def _sigmoid(xp, x):
    x *= 0.5
    xp.tanh(x, out=x)
    x *= 0.5
    x += 0.5


def _elman(activation):
    def forward(xp, state, saved, x, h, before):
        xp.add(x, h, out=state)
        xp.tanh(state, out=state) if activation == "tanh" else xp.maximum(state, 0, out=state)

    def backward(xp, dx, dh, dbefore, d, state, saved, before):
        dx[...] = d * (1 - state * state) if activation == "tanh" else d * (state > 0)

    def step(x, h, before):
        return tanh(x + h) if activation == "tanh" else relu_op(x + h)

    return SimpleNamespace(gates=1, states=1, saves=0, products=False, forward=forward, backward=backward, step=step)


def _lstm_forward(xp, state, saved, x, h, before):
    xp.add(x, h, out=saved)
    i, f, g, o = _parts(saved, 4)
    new_h, new_c = _parts(state, 2)
    _sigmoid(xp, saved[..., : 2 * i.shape[-1]])
    xp.tanh(g, out=g)
    _sigmoid(xp, o)
    xp.multiply(f, _parts(before, 2)[1], out=new_c)
    new_c += i * g
    xp.tanh(new_c, out=new_h)
    new_h *= o


def _lstm_backward(xp, dx, dh, dbefore, d, state, saved, before):
    i, f, g, o = _parts(saved, 4)
    di, df, dg, do = _parts(dx, 4)
    (d_h, d_c), c_before = _parts(d, 2), _parts(before, 2)[1]
    tanh_c = xp.tanh(_parts(state, 2)[1])
    d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
    di[...] = d_c * g * (i * (1 - i))
    df[...] = d_c * c_before * (f * (1 - f))
    dg[...] = d_c * i * (1 - g * g)
    do[...] = d_h * tanh_c * (o * (1 - o))
    _parts(dbefore, 2)[1][...] = d_c * f


def _lstm_step(x, h, before):
    i, f, g, o = (x + h).chunk(4, -1)
    c = sigmoid_op(f) * before.chunk(2, -1)[1] + sigmoid_op(i) * tanh(g)
    return cat([sigmoid_op(o) * tanh(c), c], -1)


def _gru_forward(xp, state, saved, x, h, before):
    r, z, n, hn = _parts(saved, 4)
    gates, h_n = saved[..., : 2 * r.shape[-1]], _parts(h, 3)[2]
    xp.add(x[..., : gates.shape[-1]], h[..., : gates.shape[-1]], out=gates)
    _sigmoid(xp, gates)
    hn[...] = h_n
    xp.multiply(r, hn, out=n)
    n += _parts(x, 3)[2]
    xp.tanh(n, out=n)
    xp.subtract(before, n, out=state)
    state *= z
    state += n


def _gru_backward(xp, dx, dh, dbefore, d, state, saved, before):
    r, z, n, hn = _parts(saved, 4)
    dr, dz, dn = _parts(dx, 3)
    dn[...] = d * (1 - z) * (1 - n * n)
    dz[...] = d * (before - n) * (z * (1 - z))
    dr[...] = dn * hn * (r * (1 - r))
    dh[...] = dx
    _parts(dh, 3)[2][...] *= r
    dbefore[...] = d * z


def _gru_step(x, h, before):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = x.chunk(3, -1), h.chunk(3, -1)
    n, z = tanh(x_n + sigmoid_op(x_r + h_r) * h_n), sigmoid_op(x_z + h_z)
    return n + z * (before - n)


# gates: rows of W in units of the hidden size; states and saves: sizes of a state and of what is kept, in these units.
# products: whether the gradients of the products h W^T + b differ from those of x.
CELLS = {
    "rnn_tanh": _elman("tanh"),
    "rnn_relu": _elman("relu"),
    # S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997, with forget gates
    "lstm": SimpleNamespace(gates=4, states=2, saves=4, products=False, forward=_lstm_forward,
                            backward=_lstm_backward, step=_lstm_step),
    # K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014; the reset gate after the product
    "gru": SimpleNamespace(gates=3, states=1, saves=4, products=True, forward=_gru_forward, backward=_gru_backward,
                           step=_gru_step),
}


# ---- the sequence ----------------------------------------------------------------------------------------------------


def _sequence(x, state, weight, bias, lengths, *, cell, reverse):
    hidden = weight.shape[1]
    return ((len(x), *state.shape), x.dtype), ((*x.shape[:2], CELLS[cell].saves * hidden), x.dtype)


def _times(count, reverse):
    return range(count - 1, -1, -1) if reverse else range(count)


@op(_sequence, outputs=2)
def sequence_op(xp, states, saved, x, state, weight, bias, lengths, *, cell, reverse):
    """x [time, batch, gates * hidden], state [batch, states * hidden] -> the state after every step."""
    hidden, transposed = weight.shape[1], weight.T
    for t in _times(len(x), reverse):
        h = xp.matmul(state[:, :hidden], transposed)
        if bias is not None:
            h += bias
        CELLS[cell].forward(xp, states[t], saved[t], x[t], h, state)
        if lengths is not None:
            xp.copyto(states[t], state, where=(lengths <= t)[:, None])
        state = states[t]


def _way_back(g, states, saved, state, weight, lengths, *, cell, reverse):
    gates = (*states.shape[:2], weight.shape[0])
    return (gates, states.dtype), (gates if CELLS[cell].products else (0,), states.dtype), (state.shape, states.dtype)


@op(_way_back, outputs=3, differentiable=False)
def sequence_grad(xp, dx, dh, dstate, g, states, saved, state, weight, lengths, *, cell, reverse):
    """The gradients of x[t], of the products h[t-1] W^T + b (empty where they are those of x), and of the first
    state."""
    hidden = weight.shape[1]
    dstate[...] = 0
    dh = dh if CELLS[cell].products else dx
    last = _times(len(states), reverse)[0] if len(states) else None
    for t in _times(len(states), not reverse):
        first = t == last
        before = state if first else states[t + 1 if reverse else t - 1]
        d = g[t] + dstate
        dstate[...] = 0
        CELLS[cell].backward(xp, dx[t], dh[t], dstate, d, states[t], saved[t], before)
        over = None if lengths is None else (lengths <= t)[:, None]
        if over is not None:
            xp.copyto(dx[t], 0, where=over)
            xp.copyto(dh[t], 0, where=over)
        dstate[:, :hidden] += xp.matmul(dh[t], weight)
        if over is not None:
            xp.copyto(dstate, d, where=over)


@sequence_op.gradient(repeatable=True)
def _(gradients, states, saved, x_meta, state, weight, bias, lengths, *, cell, reverse):
    g = gradients[0]
    if g is None:
        return (None,) * 5
    dx, dh, dstate = sequence_grad(g, states, saved, state, weight, lengths, cell=cell, reverse=reverse)
    rows = (dh if CELLS[cell].products else dx).reshape(-1, len(weight))
    hidden = weight.shape[1]

    def of_weight():
        h, first = states[..., :hidden], state[:, :hidden].unsqueeze(0)
        before = cat([h[1:], first]) if reverse else cat([first, h[:-1]])
        return matmul_op(rows, before.reshape(-1, hidden), ta=True, tb=False)

    return dx, dstate, of_weight, (None if bias is None else lambda: column_sum(rows)), None


@sequence_op.composition
def _(x, state, weight, bias, lengths, *, cell, reverse):
    states: list[Any] = [None] * len(x)
    for t in _times(len(x), reverse):
        new = CELLS[cell].step(x[t], linear(state[:, : weight.shape[1]], weight, bias), state)
        state = states[t] = new if lengths is None else where((lengths <= t).unsqueeze(1), state, new)
    return stack(states)


# ---- launches -------------------------------------------------------------------------------------------------------

sequence_op.kernel(recurrent_launch.forward)
sequence_grad.kernel(recurrent_launch.backward)


# ---- native kernels --------------------------------------------------------------------------------------------------

_sequence_native = Native("recurrent.cpp", "sequence")
_sequence_grad_native = Native("recurrent.cpp", "sequence_grad")


@sequence_op.cpu
def _(states, saved, x, state, weight, bias, lengths, *, cell, reverse):
    _sequence_native(states, saved, x, state, weight, bias, lengths, len(x), len(state), weight.shape[1],
                     recurrent_launch.CELLS[cell], reverse)


@sequence_grad.cpu
def _(dx, dh, dstate, g, states, saved, state, weight, lengths, *, cell, reverse):
    _sequence_grad_native(dx, dh if CELLS[cell].products else None, dstate, g, states, saved, state, weight, lengths,
                          len(states), len(state), weight.shape[1], recurrent_launch.CELLS[cell], reverse)


# ---- what layers call ------------------------------------------------------------------------------------------------


def sequence(input, state, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr=None, lengths=None, *, cell: str,
             reverse: bool = False):
    """One layer of a recurrent network in one direction: input [time, batch, features] -> the states after each step,
    [time, batch, states * hidden], and the last one. lengths: of the sequences, where they differ (int64 [batch]).
    weight_hr: an LSTM's projection of h, [projected, hidden]; a state is then h, projected, and c."""
    dtype = input.dtype
    if input._array.dtype in HALF_TYPES:  # steps build on each other: rounded once, at the end
        wide: list[Any] = [x if x is None else x.float() for x in (input, state, weight_ih, weight_hh, bias_ih, bias_hh,
                                                                   weight_hr)]
        input, state, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = wide
    if bias_ih is not None and bias_hh is not None and not CELLS[cell].products:
        bias_ih, bias_hh = bias_ih + bias_hh, None  # their gradients are one sum
    x = linear(input, weight_ih, bias_ih)
    if weight_hr is None:
        states = sequence_op(x, state, weight_hh, bias_hh, lengths, cell=cell, reverse=reverse)[0]
    else:
        states = _projected(x, state, weight_hh, bias_hh, weight_hr, lengths, reverse)
    states = states.to(dtype)
    return states, states[0 if reverse else -1]


def _projected(x, state, weight, bias, weight_hr, lengths, reverse):
    """An LSTM whose h is projected (Sak et al., 2014), in plain ops."""
    projected, hidden = weight_hr.shape
    states: list[Any] = [None] * len(x)
    for t in _times(len(x), reverse):
        h, c = state.split([projected, hidden], -1)
        wide = cat([h.new_zeros(len(h), hidden), c], -1)  # the step looks at c alone
        new_h, new_c = CELLS["lstm"].step(x[t], linear(h, weight, bias), wide).chunk(2, -1)
        new = cat([linear(new_h, weight_hr), new_c], -1)
        state = states[t] = new if lengths is None else where((lengths <= t).unsqueeze(1), state, new)
    return stack(states)


def cell_step(input, state, weight_ih, weight_hh, bias_ih, bias_hh, *, cell: str):
    """One step: input [batch, features], state [batch, states * hidden] -> the new state."""
    hidden = state[:, : weight_hh.shape[1]]
    return CELLS[cell].step(linear(input, weight_ih, bias_ih), linear(hidden, weight_hh, bias_hh), state)
