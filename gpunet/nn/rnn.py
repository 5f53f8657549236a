"""Recurrent layers and cells: Elman's RNN, LSTM and GRU. The steps are in gpunet/ops/recurrent.py."""

from __future__ import annotations

import math
import warnings

from gpunet.nn import init
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.nn.utils.rnn import PackedSequence, repack, unpack
from gpunet.ops import creation, recurrent
from gpunet.ops.join import cat, stack
from gpunet.ops.random import dropout
from gpunet.tensor import Tensor


def _reset(module: Module, hidden_size: int) -> None:
    bound = 1 / math.sqrt(hidden_size)
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _describe(module: Module, names: str, defaults: dict) -> str:
    """The sizes, then the options that differ from their defaults."""
    options = [f"{name}={getattr(module, name)}" for name, default in defaults.items()
               if getattr(module, name) != default]
    return ", ".join([*(str(getattr(module, name)) for name in names.split()), *options])


class RNNBase(Module):
    """What RNN, LSTM and GRU share; `cell` names the step.

    Input: [time, batch, input_size], or [batch, time, input_size] with batch_first, or [time, input_size], or a
    `PackedSequence`. Output: h of the last layer at each time, both directions side by side, and the last state of each
    layer and direction, [layers * directions, batch, hidden_size]. Parameters are named as PyTorch's:
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, with `_reverse` for the other direction of time.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device=None, dtype=None) -> None:
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
            warnings.warn(f"{name}: dropout stands between layers, so with num_layers=1 it has no effect",
                          stacklevel=3)
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
        """Uniform numbers up to 1 / sqrt(hidden_size)."""
        _reset(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing: here for PyTorch's scripts, where it arranges memory for cuDNN."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names.values()] for names in self.all_weights_names]

    def extra_repr(self) -> str:
        return _describe(self, "input_size hidden_size", {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False})

    def forward(self, input: Tensor | PackedSequence, hx=None):
        packed = input if isinstance(input, PackedSequence) else None
        lengths = None
        if packed is not None:
            input = unpack(packed)
            lengths = creation.tensor(packed.lengths(), device=input.device)
        elif input.ndim not in (2, 3):
            raise ValueError(f"{type(self).__name__}: expected an input of 2 dimensions (time, features) or 3 with a "
                             f"batch, got shape {tuple(input.shape)}")
        batched = input.ndim == 3
        if not batched:
            input = input.unsqueeze(1)
        elif self.batch_first and packed is None:
            input = input.transpose(0, 1)
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"{type(self).__name__}: expected {self.input_size} features (input_size) in the last "
                               f"dimension, got an input of shape {tuple(input.shape)}")
        if not len(input):
            raise RuntimeError(f"{type(self).__name__}: the sequence must have at least one time step")
        states = self._first_states(input, hx, batched, packed)
        output, last = self._run(input, states, lengths)
        if packed is not None and packed.unsorted_indices is not None:
            last = last.index_select(1, packed.unsorted_indices)
        if packed is not None:
            output = repack(output, packed)
        elif not batched:
            output, last = output.squeeze(1), last.squeeze(1)
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, self._split_state(last)

    def _first_states(self, input, hx, batched, packed) -> list[Tensor]:
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

    def _run(self, input, states, lengths):
        """All layers: (output of the last one [time, batch, ...], last states [layers * directions, batch, ...])."""
        out, last = self.proj_size or self.hidden_size, []
        if lengths is not None:  # outputs are 0 where a sequence is over
            steps = creation.arange(len(input), device=input.device)
            inside = (steps.unsqueeze(1) < lengths).unsqueeze(2).to(input.dtype)
        for layer in range(self.num_layers):
            directions = []
            for direction in range(1 + self.bidirectional):
                number = layer * (1 + self.bidirectional) + direction
                weights = [getattr(self, name) if (name := self.all_weights_names[number].get(kind)) else None
                           for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]
                every, final = recurrent.sequence(input, states[number], *weights, lengths, cell=self.cell,
                                                  reverse=direction == 1)
                h = every[..., :out]
                directions.append(h if lengths is None else h * inside)
                last.append(final)
            input = directions[0] if len(directions) == 1 else cat(directions, -1)
            if self.dropout and layer < self.num_layers - 1:
                input = dropout(input, self.dropout, self.training)
        return input, stack(last)

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def _split_state(self, state):
        return state


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU for nonlinearity="relu" (Elman, 1990). See `RNNBase`."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device=None, dtype=None) -> None:
        self._check(nonlinearity)
        super().__init__(f"rnn_{nonlinearity}", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    @staticmethod
    def _check(nonlinearity):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with forget gates. See `RNNBase`.

    The state is a pair (h, c); rows of the weights are the input, forget, cell and output gates. proj_size: h is
    projected to that size (Sak et al., 2014).
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
                 device=None, dtype=None) -> None:
        super().__init__("lstm", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         proj_size, device, dtype)

    def _state_sizes(self):
        return self.proj_size or self.hidden_size, self.hidden_size

    def _split_state(self, state):
        return tuple(part.contiguous() for part in state.split(list(self._state_sizes()), -1))


class GRU(RNNBase):
    """Gated recurrent units (Cho et al., 2014), the reset gate after the product. See `RNNBase`.

    Rows of the weights are the reset, update and new gates.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device=None,
                 dtype=None) -> None:
        super().__init__("gru", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         device=device, dtype=dtype)


class RNNCellBase(Module):
    """One step of a recurrent layer: input [batch, input_size] or [input_size]; states are zeros if not given."""

    def __init__(self, cell: str, input_size: int, hidden_size: int, bias: bool, device=None, dtype=None) -> None:
        super().__init__()
        self.cell, self.input_size, self.hidden_size, self.bias = cell, input_size, hidden_size, bias
        gates = recurrent.CELLS[cell].gates * hidden_size

        def weight(*shape):
            return Parameter(creation.empty(shape, device=device, dtype=dtype))

        self.weight_ih, self.weight_hh = weight(gates, input_size), weight(gates, hidden_size)
        self.register_parameter("bias_ih", weight(gates) if bias else None)
        self.register_parameter("bias_hh", weight(gates) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers up to 1 / sqrt(hidden_size)."""
        _reset(self, self.hidden_size)

    def extra_repr(self) -> str:
        return _describe(self, "input_size hidden_size", {"bias": True})

    def _step(self, input: Tensor, states) -> Tensor:
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
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU for nonlinearity="relu"."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device=None,
                 dtype=None) -> None:
        RNN._check(nonlinearity)
        super().__init__(f"rnn_{nonlinearity}", input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        return _describe(self, "input_size hidden_size", {"bias": True, "nonlinearity": "tanh"})

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (h, c) -> (h', c')."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__("lstm", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, hx).chunk(2, -1)
        return h, c


class GRUCell(RNNCellBase):
    """One step of a GRU."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__("gru", input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, None if hx is None else (hx,))
