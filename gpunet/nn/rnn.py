"""Recurrent layers and cells: Elman's RNN, LSTM and GRU. The steps are in gpunet/ops/recurrent.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpunet._warn import warn
from gpunet.nn import init
from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.nn.utils.rnn import PackedSequence, repack, unpack
from gpunet.ops import creation, recurrent
from gpunet.ops.dropout import dropout
from gpunet.ops.join import cat, stack
from gpunet.ops.ranges import arange
from gpunet.tensor import Tensor


def _reset(module: Module, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size)
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _describe(module: Module, names: str, defaults: dict[str, Any]) -> str:
    """The sizes, then the options that differ from their defaults."""
    options = [f"{name}={getattr(module, name)}" for name, default in defaults.items()
               if getattr(module, name) != default]
    return ", ".join([*(str(getattr(module, name)) for name in names.split()), *options])


class RNNBase(Module):
    """Base of RNN, LSTM and GRU; `cell` names the step, whose formula is in gpunet/ops/recurrent.py.

    Parameters are named as PyTorch's: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, with `_reverse` for the other
    direction of time.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        name = type(self).__name__
        for what, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(size, int) or isinstance(size, bool):
                raise TypeError(f"{name}: {what} must be an int, got {type(size).__name__}")
            if size <= 0:
                raise ValueError(f"{name}: {what} must be greater than zero, got {size}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout is a probability between 0 and 1, got {dropout}")
        if dropout > 0 and num_layers == 1:
            warn(f"{name}: dropout stands between layers, so with num_layers=1 it has no effect")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: proj_size must be smaller than hidden_size, and not negative, got {proj_size}")
        self.cell, self.input_size, self.hidden_size, self.num_layers = cell, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        gates, out = recurrent.CELLS[cell].gates * hidden_size, proj_size or hidden_size
        self.all_weights_names = []
        for layer in range(num_layers):
            features = input_size if layer == 0 else out * (1 + bidirectional)
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                shapes = {"weight_ih": (gates, features), "weight_hh": (gates, out)}
                if bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if proj_size:
                    shapes |= {"weight_hr": (proj_size, hidden_size)}
                names = {kind: f"{kind}_l{layer}{suffix}" for kind in shapes}
                for kind, shape in shapes.items():
                    setattr(self, names[kind], Parameter(creation.empty(shape, device=device, dtype=dtype)))
                self.all_weights_names.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values, uniform in ±1/sqrt(hidden_size)."""
        _reset(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Does nothing: PyTorch arranges memory for cuDNN here."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names.values()] for names in self.all_weights_names]

    def extra_repr(self) -> str:
        """The options, as repr() shows them: those that differ from their defaults."""
        return _describe(self, "input_size hidden_size", {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False})

    def forward(self, input: Tensor | PackedSequence,
                hx: Tensor | tuple[Tensor, Tensor] | None = None) -> tuple[Any, Any]:
        name, packed, lengths = type(self).__name__, None, None
        if isinstance(input, PackedSequence):
            packed, x = input, unpack(input)
            lengths = creation.tensor(packed.lengths(), device=x.device)
        elif input.ndim in (2, 3):
            x = input
        else:
            raise ValueError(f"{name}: expected an input of 2 dimensions (time, features) or 3 with a batch, got shape "
                             f"{tuple(input.shape)}")
        batched = x.ndim == 3
        if not batched:
            x = x.unsqueeze(1)
        elif self.batch_first and packed is None:
            x = x.transpose(0, 1)
        if x.shape[-1] != self.input_size:
            raise RuntimeError(f"{name}: expected {self.input_size} features (input_size) in the last dimension, got "
                               f"an input of shape {tuple(x.shape)}")
        if not len(x):
            raise RuntimeError(f"{name}: the sequence must have at least one time step")
        states = self._first_states(x, hx, batched, packed)
        output, last = self._run(x, states, lengths)
        if packed is not None and packed.unsorted_indices is not None:
            last = last.index_select(1, packed.unsorted_indices)
        if packed is not None:
            return repack(output, packed), self._split_state(last)
        if not batched:
            output, last = output.squeeze(1), last.squeeze(1)
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, self._split_state(last)

    def _first_states(self, input: Tensor, hx: Any, batched: bool, packed: PackedSequence | None) -> list[Tensor]:
        """The state that each layer and direction begins with."""
        count, batch = self.num_layers * (1 + self.bidirectional), input.shape[1]
        sizes = self._state_sizes()
        if hx is None:
            return [input.new_zeros(batch, sum(sizes))] * count
        given = hx if isinstance(hx, (tuple, list)) else (hx,)
        if len(given) != len(sizes):
            raise RuntimeError(f"{type(self).__name__}: expected {len(sizes)} initial state(s), got {len(given)}")
        parts = []
        for name, part, size in zip(("hidden", "cell"), given, sizes, strict=False):
            expected = (count, batch, size) if batched else (count, size)
            if tuple(part.shape) != expected:
                raise RuntimeError(f"{type(self).__name__}: expected an initial {name} state of shape {expected}, got "
                                   f"{tuple(part.shape)}")
            parts.append(part if batched else part.unsqueeze(1))
        state = parts[0] if len(parts) == 1 else cat(parts, -1)
        if packed is not None and packed.sorted_indices is not None:
            state = state.index_select(1, packed.sorted_indices)
        return list(state.unbind(0))

    def _run(self, input: Tensor, states: Sequence[Tensor], lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """All layers: (output of the last one [time, batch, ...], last states [layers * directions, batch, ...])."""
        out, last, inside = self.proj_size or self.hidden_size, [], None
        if lengths is not None:  # outputs are 0 where a sequence is over
            steps = arange(len(input), device=input.device)
            inside = (steps.unsqueeze(1) < lengths).unsqueeze(2).to(input.dtype)
        for layer in range(self.num_layers):
            directions = []
            for direction in range(1 + self.bidirectional):
                number = layer * (1 + self.bidirectional) + direction
                weights = [getattr(self, name) if (name := self.all_weights_names[number].get(kind)) else None
                           for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]
                arrays: Any = input, states[number], *weights, lengths
                every, final = recurrent.sequence(*arrays, cell=self.cell, reverse=direction == 1)
                h = every[..., :out]
                directions.append(h if inside is None else h * inside)
                last.append(final)
            input = directions[0] if len(directions) == 1 else cat(directions, -1)
            if self.dropout and layer < self.num_layers - 1:
                input = dropout(input, self.dropout, self.training)
        return input, stack(last)

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def _split_state(self, state: Tensor) -> Any:
        return state


class RNN(RNNBase):
    """Elman's recurrent network: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)` at each time, or with ReLU in place of
    tanh.

    Weights and biases start uniform in ±1/sqrt(hidden_size), as in PyTorch.

    Source: Elman, "Finding Structure in Time", 1990.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: how many layers stand on one another.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: whether the batch is dimension 0 of input and output rather than 1; states are not affected.
        dropout: the probability that an element of the output of a layer, but the last, becomes 0, in training.
        bidirectional: whether a second net reads the sequence backwards; its outputs stand beside the first's.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input [T, N, input_size], or [N, T, input_size] with batch_first, or [T, input_size], or a `PackedSequence`. hx,
        the initial state: [D * num_layers, N, hidden_size], or without N; zeros if None.
        Output: h of the last layer at each time [T, N, D * hidden_size], laid out like the input, and the last state,
            of the
        initial state's shape. D is 2 if bidirectional, else 1.

    Attributes:
        weight_ih_l0: [hidden_size, input_size], and the same for each layer k in `weight_ih_lk`; with `_reverse` for
            the other direction.
        weight_hh_l0: [hidden_size, hidden_size].
        bias_ih_l0: [hidden_size].
        bias_hh_l0: [hidden_size].

    Raises:
        ValueError: sizes that are not positive, a dropout that is no probability, or an input of other dimensions.
        RuntimeError: shapes of input or state that do not fit.

    Examples:
        >>> rnn = nn.RNN(10, 20, num_layers=2)
        >>> output, h = rnn(gpunet.randn(5, 3, 10))
        >>> output.shape, h.shape
        (gpunet.Size([5, 3, 20]), gpunet.Size([2, 3, 20]))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device: Device = None, dtype: DType = None) -> None:
        self._check(nonlinearity)
        super().__init__(f"rnn_{nonlinearity}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    @staticmethod
    def _check(nonlinearity: str) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")


class LSTM(RNNBase):
    """Long short-term memory. At each time

        i, f, g, o = W_ih x + b_ih + W_hh h + b_hh
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(c')

    where i, f, g, o are the four parts of the rows, in that order.

    Weights and biases start uniform in ±1/sqrt(hidden_size), as in PyTorch.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; forget gates: Gers et al., 2000.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: how many layers stand on one another.
        bias: whether there are biases.
        batch_first: whether the batch is dimension 0 of input and output rather than 1; states are not affected.
        dropout: the probability that an element of the output of a layer, but the last, becomes 0, in training.
        bidirectional: whether a second net reads the sequence backwards; its outputs stand beside the first's.
        proj_size: if not 0, h is projected to this size by `weight_hr_lk` [proj_size, hidden_size] (Sak et al., "Long
            Short-Term Memory Recurrent Neural Network Architectures for Large Scale Acoustic Modeling", 2014).
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input [T, N, input_size], or [N, T, input_size] with batch_first, or [T, input_size], or a `PackedSequence`. hx,
        the initial state: a pair of h [D * num_layers, N, H] and c [D * num_layers, N, hidden_size], or without N;
        zeros if None. H is proj_size, or hidden_size without it.
        Output: h of the last layer at each time [T, N, D * H], laid out like the input, and the last state, of the
        initial state's shape. D is 2 if bidirectional, else 1.

    Attributes:
        weight_ih_l0: [4 * hidden_size, input_size], and the same for each layer k in `weight_ih_lk`; with `_reverse`
            for the other direction.
        weight_hh_l0: [4 * hidden_size, H].
        bias_ih_l0: [4 * hidden_size].
        bias_hh_l0: [4 * hidden_size].

    Raises:
        ValueError: sizes that are not positive, a dropout that is no probability, or an input of other dimensions.
        RuntimeError: shapes of input or state that do not fit.

    Examples:
        >>> lstm = nn.LSTM(10, 20, batch_first=True)
        >>> output, (h, c) = lstm(gpunet.randn(3, 5, 10))
        >>> output.shape, h.shape, c.shape
        (gpunet.Size([3, 5, 20]), gpunet.Size([1, 3, 20]), gpunet.Size([1, 3, 20]))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__("lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         proj_size, device, dtype)

    def _state_sizes(self) -> tuple[int, ...]:
        return self.proj_size or self.hidden_size, self.hidden_size

    def _split_state(self, state: Tensor) -> Any:
        return tuple(part.contiguous() for part in state.split(list(self._state_sizes()), -1))


class GRU(RNNBase):
    """Gated recurrent units. At each time

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
        h' = (1 - z) * n + z * h

    where the rows of the weights are those of r, z and n, in that order.

    Weights and biases start uniform in ±1/sqrt(hidden_size), as in PyTorch.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014; here, as in PyTorch, the
    reset gate r is applied after the product.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: how many layers stand on one another.
        bias: whether there are biases.
        batch_first: whether the batch is dimension 0 of input and output rather than 1; states are not affected.
        dropout: the probability that an element of the output of a layer, but the last, becomes 0, in training.
        bidirectional: whether a second net reads the sequence backwards; its outputs stand beside the first's.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input [T, N, input_size], or [N, T, input_size] with batch_first, or [T, input_size], or a `PackedSequence`. hx,
        the initial state: [D * num_layers, N, hidden_size], or without N; zeros if None.
        Output: h of the last layer at each time [T, N, D * hidden_size], laid out like the input, and the last state,
            of the
        initial state's shape. D is 2 if bidirectional, else 1.

    Attributes:
        weight_ih_l0: [3 * hidden_size, input_size], and the same for each layer k in `weight_ih_lk`; with `_reverse`
            for the other direction.
        weight_hh_l0: [3 * hidden_size, hidden_size].
        bias_ih_l0: [3 * hidden_size].
        bias_hh_l0: [3 * hidden_size].

    Raises:
        ValueError: sizes that are not positive, a dropout that is no probability, or an input of other dimensions.
        RuntimeError: shapes of input or state that do not fit.

    Examples:
        >>> gru = nn.GRU(10, 20, bidirectional=True)
        >>> output, h = gru(gpunet.randn(5, 3, 10))
        >>> output.shape, h.shape
        (gpunet.Size([5, 3, 40]), gpunet.Size([2, 3, 20]))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__("gru", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         device=device, dtype=dtype)


class RNNCellBase(Module):
    """Base of the cells: one step of a recurrent layer."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, cell: str, input_size: int, hidden_size: int, bias: bool, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__()
        self.cell, self.input_size, self.hidden_size, self.bias = cell, input_size, hidden_size, bias
        gates = recurrent.CELLS[cell].gates * hidden_size

        def weight(*shape: int) -> Parameter:
            return Parameter(creation.empty(shape, device=device, dtype=dtype))

        self.weight_ih, self.weight_hh = weight(gates, input_size), weight(gates, hidden_size)
        self.register_parameter("bias_ih", weight(gates) if bias else None)
        self.register_parameter("bias_hh", weight(gates) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values, uniform in ±1/sqrt(hidden_size)."""
        _reset(self, self.hidden_size)

    def extra_repr(self) -> str:
        """The options, as repr() shows them: those that differ from their defaults."""
        return _describe(self, "input_size hidden_size", {"bias": True})

    def _step(self, input: Tensor, states: Sequence[Tensor] | None) -> Tensor:
        name = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            kind = RuntimeError if input.ndim in (1, 2) else ValueError
            raise kind(f"{name}: expected an input of shape (batch, {self.input_size}) or ({self.input_size},), "
                       f"got {tuple(input.shape)}")
        rows = input if input.ndim == 2 else input.unsqueeze(0)
        count = recurrent.CELLS[self.cell].states
        if states is None:
            state = input.new_zeros(len(rows), count * self.hidden_size)
        else:
            for state in states:
                if tuple(state.shape) != (*input.shape[:-1], self.hidden_size):
                    kind = RuntimeError if state.ndim in (1, 2) else ValueError
                    raise kind(f"{name}: for an input of shape {tuple(input.shape)} expected a state of shape "
                               f"{(*input.shape[:-1], self.hidden_size)}, got {tuple(state.shape)}")
            state = states[0] if count == 1 else cat(list(states), -1)
            state = state if input.ndim == 2 else state.unsqueeze(0)
        new = recurrent.cell_step(rows, state, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh,
                                  cell=self.cell)
        return new if input.ndim == 2 else new.squeeze(0)


class RNNCell(RNNCellBase):
    """One step of an RNN: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or with ReLU in place of tanh.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        nonlinearity: "tanh" or "relu".
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input [N, input_size] or [input_size]; hx [N, hidden_size] or [hidden_size], zeros if None. Output: the new
        state.

    Attributes:
        weight_ih: [hidden_size, input_size].
        weight_hh: [hidden_size, hidden_size].
        bias_ih: [hidden_size], or None.
        bias_hh: [hidden_size], or None.

    Raises:
        RuntimeError: shapes of input or state that do not fit.
        ValueError: the nonlinearity is unknown.

    Examples:
        >>> cell = nn.RNNCell(10, 20)
        >>> cell(gpunet.randn(3, 10)).shape
        gpunet.Size([3, 20])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
                 device: Device = None, dtype: DType = None) -> None:
        RNN._check(nonlinearity)
        super().__init__(f"rnn_{nonlinearity}", input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        return _describe(self, "input_size hidden_size", {"bias": True, "nonlinearity": "tanh"})

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))


class LSTMCell(RNNCellBase):
    """One step of an LSTM: `c' = sigmoid(f) * c + sigmoid(i) * tanh(g)`, `h' = sigmoid(o) * tanh(c')`; see `LSTM`.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input [N, input_size] or [input_size]; hx, a pair of h and c, [N, hidden_size] or [hidden_size] each, zeros if
        None.
        Output: the new pair.

    Attributes:
        weight_ih: [4 * hidden_size, input_size].
        weight_hh: [4 * hidden_size, hidden_size].
        bias_ih: [4 * hidden_size], or None.
        bias_hh: [4 * hidden_size], or None.

    Raises:
        RuntimeError: shapes of input or state that do not fit.

    Examples:
        >>> h, c = nn.LSTMCell(10, 20)(gpunet.randn(3, 10))
        >>> h.shape, c.shape
        (gpunet.Size([3, 20]), gpunet.Size([3, 20]))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__("lstm", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, hx).chunk(2, -1)
        return h, c


class GRUCell(RNNCellBase):
    """One step of a GRU: `h' = (1 - z) * n + z * h`; see `GRU`.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        bias: whether there are biases.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        input [N, input_size] or [input_size]; hx [N, hidden_size] or [hidden_size], zeros if None. Output: the new
        state.

    Attributes:
        weight_ih: [3 * hidden_size, input_size].
        weight_hh: [3 * hidden_size, hidden_size].
        bias_ih: [3 * hidden_size], or None.
        bias_hh: [3 * hidden_size], or None.

    Raises:
        RuntimeError: shapes of input or state that do not fit.

    Examples:
        >>> nn.GRUCell(10, 20)(gpunet.randn(3, 10)).shape
        gpunet.Size([3, 20])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None,
                 dtype: DType = None) -> None:
        super().__init__("gru", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))
