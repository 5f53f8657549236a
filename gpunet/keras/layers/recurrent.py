"""LSTM, GRU and SimpleRNN over sequences [N, time, features], by the kernels of nn.LSTM, nn.GRU and nn.RNN."""

from __future__ import annotations

from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras import activations, initializers
from gpunet.keras.layers.checks import at_least, kind, need_axes
from gpunet.keras.layers.layer import Layer
from gpunet.nn import functional as F
from gpunet.ops import recurrent


class _Recurrent(Layer):
    """Kernels [features, gates * units] and [units, gates * units], and a bias."""

    _casts = True
    _gates = 1
    _states = 1  # tensors that a state consists of

    def __init__(self, units: int, activation: Any, use_bias: bool, kernel_initializer: Any,
                 recurrent_initializer: Any, bias_initializer: Any, dropout: float, return_sequences: bool,
                 return_state: bool, go_backwards: bool, options: dict[str, Any]) -> None:
        super().__init__(**options)
        self.units = at_least(self, "units", units)
        if not 0 <= dropout < 1:
            raise ValueError(f"{kind(self)}: dropout must be from 0 to below 1, not {dropout!r}.")
        self.activation, self.use_bias, self.dropout = activations.get(activation), use_bias, dropout
        self.kernel_initializer, self.recurrent_initializer = kernel_initializer, recurrent_initializer
        self.bias_initializer = bias_initializer
        self.return_sequences, self.return_state, self.go_backwards = return_sequences, return_state, go_backwards

    def build(self, input_shape: Any) -> None:
        need_axes(self, input_shape, 3, 3, " [N, time, features]")
        width = self._gates * self.units
        self.kernel = self.add_weight((input_shape[-1], width), self.kernel_initializer)
        self.recurrent_kernel = self.add_weight((self.units, width), self.recurrent_initializer)
        self.bias = self.add_weight(self._bias_shape(), self._bias_values()) if self.use_bias else None

    def _bias_shape(self) -> tuple[int, ...]:
        return (self._gates * self.units,)

    def _bias_values(self) -> Any:
        return self.bias_initializer

    def call(self, inputs: Tensor, initial_state: Any = None, training: bool = False) -> Any:
        need_axes(self, inputs.shape, 3, 3, " [N, time, features]")
        if inputs.shape[-1] != self.kernel.shape[0]:
            raise ValueError(f"{kind(self)} expects {self.kernel.shape[0]} features, and got an input of shape "
                             f"{tuple(inputs.shape)}.")
        if initial_state is None:
            state = inputs.new_zeros(inputs.shape[0], self._states * self.units)
        else:
            given = list(initial_state) if isinstance(initial_state, tuple | list) else [initial_state]
            if len(given) != self._states:
                raise ValueError(f"{kind(self)}: initial_state must be {self._states} tensor"
                                 f"{'s' * (self._states > 1)} [N, {self.units}], and {len(given)} are given.")
            state = given[0] if len(given) == 1 else gpunet.cat(given, -1)
        if training and self.dropout:  # one mask for all times
            mask = F.dropout(gpunet.ones_like(inputs[:, :1]), self.dropout, True)
            inputs = inputs * mask
        x = inputs.transpose(0, 1)
        if self.go_backwards:
            x = x.flip(0)
        states, last = self._run(x, state)
        result = states[..., : self.units].transpose(0, 1) if self.return_sequences else last[:, : self.units]
        return [result, *last.chunk(self._states, -1)] if self.return_state else result

    def _run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The state after each time, [time, N, states * units], and the last one."""
        raise NotImplementedError

    def _fused(self, cell: str, x: Tensor, state: Tensor, kernel: Any, recurrent_kernel: Any, bias: Any,
               recurrent_bias: Any) -> tuple[Tensor, Tensor]:
        arrays: Any = x, state, kernel.T, recurrent_kernel.T, bias, recurrent_bias
        return recurrent.sequence(*arrays, cell=cell)

    def _stepwise(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The same time by time, for activations that the kernels do not have."""
        states = []
        for each in x:
            state = self._step(each, state)
            states.append(state)
        return gpunet.stack(states), state

    def _step(self, x: Tensor, state: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        need_axes(self, input_shape, 3, 3, " [N, time, features]")
        batch = input_shape[0]
        result = (batch, input_shape[1], self.units) if self.return_sequences else (batch, self.units)
        return [result, *[(batch, self.units)] * self._states] if self.return_state else result


class SimpleRNN(_Recurrent):
    """h = activation(x @ kernel + h @ recurrent_kernel + bias) at each time.

    Args:
        units: size of the state.
        activation: a name or function.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel.
        recurrent_initializer: of the recurrent kernel.
        bias_initializer: of the bias.
        dropout: share of the inputs that are set to zero in training.
        return_sequences: whether the output has all times, or only the last.
        return_state: whether the last state is given too.
        go_backwards: whether the sequence is read from its end.
        options: those of Layer.

    Examples:
        >>> keras.layers.SimpleRNN(4)(gpunet.ones(2, 5, 3)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, units: int, activation: Any = "tanh", use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
                 bias_initializer: Any = "zeros", dropout: float = 0.0, return_sequences: bool = False,
                 return_state: bool = False, go_backwards: bool = False, **options: Any) -> None:
        super().__init__(units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
                         dropout, return_sequences, return_state, go_backwards, options)

    def _run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if self.activation is gpunet.tanh:
            return self._fused("rnn_tanh", x, state, self.kernel, self.recurrent_kernel, self.bias, None)
        return self._stepwise(x, state)

    def _step(self, x: Tensor, state: Tensor) -> Tensor:
        return self.activation(F.linear(x, self.kernel.T, self.bias) + state @ self.recurrent_kernel)


class LSTM(_Recurrent):
    """Long short-term memory, with the gates input, forget, cell and output in this order.

    Args:
        units: size of the state.
        activation: of cell and output, a name or function.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel.
        recurrent_initializer: of the recurrent kernel.
        bias_initializer: of the bias.
        unit_forget_bias: whether the forget gate's bias begins as 1.
        dropout: share of the inputs that are set to zero in training.
        return_sequences: whether the output has all times, or only the last.
        return_state: whether the last states h and c are given too.
        go_backwards: whether the sequence is read from its end.
        options: those of Layer.

    Examples:
        >>> keras.layers.LSTM(4, return_sequences=True)(gpunet.ones(2, 5, 3)).shape
        gpunet.Size([2, 5, 4])
    """

    _gates, _states = 4, 2

    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
                 recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
                 unit_forget_bias: bool = True, dropout: float = 0.0, return_sequences: bool = False,
                 return_state: bool = False, go_backwards: bool = False, **options: Any) -> None:
        super().__init__(units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
                         dropout, return_sequences, return_state, go_backwards, options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def _bias_values(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        values = initializers.get(self.bias_initializer)
        units = self.units
        return lambda shape: gpunet.cat([values((units,)), gpunet.ones(units), values((2 * units,))])

    def _run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if self.activation is gpunet.tanh and self.recurrent_activation is gpunet.sigmoid:
            return self._fused("lstm", x, state, self.kernel, self.recurrent_kernel, self.bias, None)
        return self._stepwise(x, state)

    def _step(self, x: Tensor, state: Tensor) -> Tensor:
        h, c = state.chunk(2, -1)
        i, f, g, o = (F.linear(x, self.kernel.T, self.bias) + h @ self.recurrent_kernel).chunk(4, -1)
        gate, activation = self.recurrent_activation, self.activation
        c = gate(f) * c + gate(i) * activation(g)
        return gpunet.cat([gate(o) * activation(c), c], -1)


class GRU(_Recurrent):
    """Gated recurrent unit, with the gates update, reset and candidate in this order.

    Args:
        units: size of the state.
        activation: of the candidate, a name or function.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel.
        recurrent_initializer: of the recurrent kernel.
        bias_initializer: of the bias.
        dropout: share of the inputs that are set to zero in training.
        return_sequences: whether the output has all times, or only the last.
        return_state: whether the last state is given too.
        go_backwards: whether the sequence is read from its end.
        reset_after: whether the reset gate comes after the product with the state, as in nn.GRU.
        options: those of Layer.

    Examples:
        >>> keras.layers.GRU(4)(gpunet.ones(2, 5, 3)).shape
        gpunet.Size([2, 4])
    """

    _gates = 3

    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
                 recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros", dropout: float = 0.0,
                 return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
                 reset_after: bool = True, **options: Any) -> None:
        super().__init__(units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
                         dropout, return_sequences, return_state, go_backwards, options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _run(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        usual = self.activation is gpunet.tanh and self.recurrent_activation is gpunet.sigmoid
        if not usual or not self.reset_after:
            return self._stepwise(x, state)
        input_bias, state_bias = self._biases()
        return self._fused("gru", x, state, _reset_first(self.kernel), _reset_first(self.recurrent_kernel),
                           _reset_first(input_bias), _reset_first(state_bias))

    def _biases(self) -> Any:
        if self.bias is None:
            return None, None
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, None)

    def _step(self, x: Tensor, state: Tensor) -> Tensor:
        input_bias, state_bias = self._biases()
        x_z, x_r, x_n = F.linear(x, self.kernel.T, input_bias).chunk(3, -1)
        gate, units = self.recurrent_activation, self.units
        if self.reset_after:
            h_z, h_r, h_n = F.linear(state, self.recurrent_kernel.T, state_bias).chunk(3, -1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            n = self.activation(x_n + r * h_n)
        else:
            of_gates, of_candidate = self.recurrent_kernel[:, : 2 * units], self.recurrent_kernel[:, 2 * units:]
            h_z, h_r = (state @ of_gates).chunk(2, -1)
            z, r = gate(x_z + h_z), gate(x_r + h_r)
            n = self.activation(x_n + (r * state) @ of_candidate)
        return z * state + (1 - z) * n


def _reset_first(weight: Any) -> Any:
    """The gates in nn.GRU's order: reset, update, candidate."""
    if weight is None:
        return None
    z, r, n = weight.chunk(3, -1)
    return gpunet.cat([r, z, n], -1)
