"""Fused: optimizers whose update is one op a parameter, in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from gpunet._channels_last import lies_last, order_of
from gpunet._layouts import format_of
from gpunet.dispatch import into, wrap
from gpunet.dtypes import FLOAT64_NP, float32
from gpunet.engine.modes import enable_grad, no_grad
from gpunet.ops.rules import accumulator
from gpunet.ops.views import as_it_lies, copied
from gpunet.optim.optimizer import Optimizer, ParamsT, one_number, own_tensor
from gpunet.tensor import Tensor

First: TypeAlias = Mapping[str, float | None]  # see Fused._first


class Scalar(float):
    """The first value of a state that is one number for a parameter (0-d float64) rather than one for each element."""


class Fused(Optimizer):
    """Base of the optimizers whose update is one op (one kernel on the GPU, where there is one) for each parameter.

    A subclass gives `update`, an op of ops/optim.py, and `_first`. The op's options are those of the group; pairs are
    handed over by their parts (`betas` as beta1 and beta2).

    What an update reads lies in device memory: the learning rate of each group, written by `refresh` when it has
    changed on the host, and the count of steps, which parameters of one group share while they take every step
    together. So a recorded step can be replayed (see `gpunet.compile`). Other options, and the tensors of the state,
    are fixed in a recording: replaying it after they have changed raises RuntimeError.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups.
        options: the defaults of the groups' options. Those that say how PyTorch computes the update ("foreach",
            "capturable", "fused") are kept for its state_dicts, and change nothing.

    Raises:
        NotImplementedError: "differentiable" is True.
        ValueError: an option is out of range.
    """

    live = ("lr",)
    update: Any  # an op of ops/optim.py

    def __init__(self, params: ParamsT, options: dict[str, Any]) -> None:
        if options.get("differentiable"):
            raise NotImplementedError(f"{type(self).__name__}: differentiable=True is not supported: the update is "
                                      "made in place; write the step in tensor operations to differentiate through it")
        _check(options)
        super().__init__(params, options)

    def _start(self) -> None:
        super()._start()
        self._rates: dict[tuple[int, Any], list[Any]] = {}  # (group's number, device) -> [tensor, the value in it]
        self._members: dict[int, list[tuple]] = {}  # group's number -> which parameters took the last step
        self._empty: dict[tuple, Tensor] = {}  # (device, type) -> an empty tensor, for absent state

    def _first(self, group: dict[str, Any]) -> First:
        """The state's names, in the order in which the op takes them, with their first values: a number for all
        elements, a Scalar, or None for a state that this group goes without.
        """
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters that have a gradient.

        Args:
            closure: computes the loss and its gradients anew, before the update.

        Returns:
            The closure's result; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self.refresh()
        for index, group in enumerate(self.param_groups):
            active = [p for p in group["params"] if p.grad is not None]
            if active:
                self._update_group(index, group, active)
        return loss

    def _update_group(self, index: int, group: dict[str, Any], active: list[Tensor]) -> None:
        first, update = self._first(group), self.update
        options = self._options(group)
        kept = {name: value for name, value in first.items() if value is not None}
        states = self._states_of(index, active, kept) if kept else [{}] * len(active)
        together: dict[tuple, tuple[list, list, Any, Any]] = {}  # what one call can do
        for p, state in zip(active, states, strict=True):
            step = state.get("step")
            gradient: Any = p.grad
            own = p, *[state[name] if name in kept else self._nothing(p) for name in first]
            dense = p._array.flags.c_contiguous and gradient._array.flags.c_contiguous
            if not dense:
                own, gradient, dense = _flat(own, gradient)
            key = p._device, p._array.dtype, id(step), dense
            if key not in together:
                rate = self._rate(index, p._device)
                # Without state the count of steps does not matter, and any number may stand for it.
                together[key] = [], [], rate, rate if step is None else step
            outs, gradients, _, _ = together[key]
            outs += own
            gradients.append(gradient)
        counted: set[int] = set()
        for outs, gradients, rate, step in together.values():
            # Of the calls that share a count of steps, the first one counts.
            count = step is not rate and id(step) not in counted
            counted.add(id(step))
            into(update.op, (*outs, step), *gradients, rate, count=count, **options)

    def _options(self, group: dict[str, Any]) -> dict[str, Any]:
        values = dict(group, decoupled=group.get("decoupled_weight_decay", False))
        for pair, parts in _PAIRS.items():
            if pair in values:
                values.update(zip(parts, values[pair], strict=True))
        return {name: values[name] for name in self.update.options}

    # ---- what lies in device memory

    def refresh(self) -> None:
        """Writes the learning rates that have changed on the host to device memory, and touches nothing else. Not an
        op: a recorded step calls it before each replay.
        """
        for (index, _), entry in self._rates.items():
            rate = float(self.param_groups[index]["lr"])
            if rate != entry[1]:
                entry[0]._device.call(entry[0]._array.fill, rate)
                entry[1] = rate

    def _rate(self, index: int, device: Any) -> Tensor:
        entry = self._rates.get((index, device))
        if entry is None:
            rate = float(self.param_groups[index]["lr"])
            entry = self._rates[index, device] = [_full(device, (), FLOAT64_NP, rate), rate]
        return entry[0]

    def _states_of(self, index: int, active: list[Tensor], first: Mapping[str, float]) -> list[dict[str, Any]]:
        """The states of parameters that step together, made where they are missing, with the count under "step"."""
        states = [self.state[p] for p in active]
        members = [(id(p), p._device, p._array.dtype, p._array.flags.c_contiguous) for p in active]
        if members != self._members.get(index) or any([len(state) <= len(first) for state in states]):
            self._members[index] = members
            self._make_state(active, states, first)
            self._share_steps(index, active, states)
        return states

    def _make_state(self, active: list[Tensor], states: list[dict[str, Any]], first: Mapping[str, Any]) -> None:
        for p, state in zip(active, states, strict=True):
            for name, value in first.items():
                shape, dtype = ((), FLOAT64_NP) if isinstance(value, Scalar) else (p._array.shape, _kept_in(p))
                if name not in state:
                    state[name] = _full(p._device, shape, dtype, value, lies_last(p._array) and bool(shape))
                elif state[name]._device is not p._device or state[name]._array.dtype != dtype or shape and (
                        order_of(state[name]._array) != (order_of(p._array) or "rows")):  # the model has moved since
                    state[name] = state[name].to(p.device, dtype, memory_format=format_of(p._array) if shape else None)

    def _share_steps(self, index: int, active: list[Tensor], states: list[dict[str, Any]]) -> None:
        """Gives every parameter a step count, one tensor for all that have the same count and step together now."""
        resting = {id(p): p for p in self.param_groups[index]["params"]}
        for p in active:
            del resting[id(p)]
        taken = {id(self.state[p].get("step")) for p in resting.values() if p in self.state}
        shared: dict[tuple, Tensor] = {}  # (id of the tensor until now, device) -> the tensor from now on
        for p, state in zip(active, states, strict=True):
            old = state.get("step")
            key = id(old), p._device
            if key not in shared:
                if old is None:
                    shared[key] = _full(p._device, (), FLOAT64_NP, 0)
                elif old._device is not p._device:
                    shared[key] = old.to(p.device)
                else:
                    # A copy, not an op: a recording would repeat it.
                    shared[key] = self._copy(old) if id(old) in taken else old
            state["step"] = shared[key]

    @staticmethod
    def _copy(t: Tensor) -> Tensor:
        return wrap(t._device.call(t._array.copy), t._device)

    def _nothing(self, p: Tensor) -> Tensor:
        """An empty tensor like `p`, for state that an update goes without."""
        key = p._device, p._array.dtype
        if key not in self._empty:
            self._empty[key] = _full(p._device, (0,), p._array.dtype, 0)
        return self._empty[key]

    # ---- state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave, here or in PyTorch, with copies of its tensors on the parameters'
        devices.

        Args:
            state_dict: what `state_dict` gave.

        Raises:
            ValueError: groups or shapes that do not fit.
        """
        super().load_state_dict(state_dict)
        self._members.clear()

    def _kept(self, group: dict[str, Any]) -> set[str] | None:
        """The names of the state that `state_dict` has of each parameter after a step with a group's options."""
        names = {name for name, value in self._first(group).items() if value is not None}
        return names | {"step"} if names else names

    def _shown_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """Each parameter with a step count of its own, because PyTorch counts in place."""
        if "step" not in state:
            return dict(state)
        with no_grad():
            return {**state, "step": state["step"].to(float32)}  # as PyTorch has it; a copy

    def _load_state(self, p: Tensor, given: dict[str, Any], shared: dict[Any, Any]) -> dict[str, Any]:
        first, state = self._first(self.defaults), {}
        for name, value in given.items():
            if name == "step":
                if getattr(value, "shape", ()) != ():
                    raise ValueError(f"loaded state dict has 'step' of shape {tuple(value.shape)}, which is one number")
                key = p._device, float(value)
                if key not in shared:
                    shared[key] = _full(p._device, (), FLOAT64_NP, key[1])
                value = shared[key]
            elif hasattr(value, "__array__"):
                single = isinstance(first.get(name), Scalar)
                shape, dtype = ((), FLOAT64_NP) if single else (tuple(p.shape), _kept_in(p))
                if tuple(value.shape) != shape:
                    raise ValueError(f"loaded state dict has {name!r} of shape {tuple(value.shape)} for a parameter of "
                                     f"shape {tuple(p.shape)}")
                with no_grad():
                    value = _full(p._device, shape, dtype, 0, not single and lies_last(p._array)).copy_(
                        own_tensor(value))
            if value is not None:
                state[name] = value
        return state


# Options that an op takes by their parts.
_PAIRS = {"betas": ("beta1", "beta2"), "etas": ("etaminus", "etaplus"),
          "step_sizes": ("step_size_min", "step_size_max")}

# What an error calls the options that must not be negative.
_AT_LEAST_0 = {"lr": "learning rate", "eps": "epsilon value", "weight_decay": "weight_decay value",
               "momentum": "momentum value", "alpha": "alpha value", "lr_decay": "lr_decay value",
               "momentum_decay": "momentum_decay value",
               "initial_accumulator_value": "initial_accumulator_value value"}


def _check(options: dict[str, Any]) -> None:
    """Raises PyTorch's ValueError for an option that cannot be."""
    if isinstance(options.get("lr"), Tensor):
        options = {**options, "lr": one_number(options["lr"])}
    for name, value in options.items():
        if name in _AT_LEAST_0 and not 0.0 <= value:
            raise ValueError(f"Invalid {_AT_LEAST_0[name]}: {value}")
        if name == "betas":
            for i, beta in enumerate(value):
                if not 0.0 <= beta < 1.0:
                    raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        if name == "rho" and not 0.0 <= value <= 1.0:
            raise ValueError(f"Invalid rho value: {value}")
        if name == "etas" and not 0.0 < value[0] < 1.0 < value[1]:
            raise ValueError(f"Invalid eta values: {value[0]}, {value[1]}")


def _kept_in(p: Tensor) -> Any:
    """The type of a parameter's states: float32 for half types, in which a mean would lose what each step adds."""
    return accumulator(p._array.dtype)


def _flat(own: tuple[Tensor, ...], gradient: Tensor) -> tuple[tuple[Tensor, ...], Tensor, bool]:
    """A parameter and its states, and its gradient, as flat memory in the parameter's order, and whether they are: a
    gradient that lies in another one is copied, and a parameter with gaps stays as it is."""
    order = order_of(own[0]._array)
    if order is None:
        return own, gradient, False
    if order_of(gradient._array) != order:
        gradient = copied(gradient.detach(), order == "channels last")
    return tuple(map(as_it_lies, own)), as_it_lies(gradient), True


def _full(device: Any, shape: tuple[int, ...], dtype: Any, value: float, last: bool = False) -> Tensor:
    """A filled tensor that no recording knows of: a replay must not fill it again. last: in channels last."""
    array = (device.empty_last if last else device.empty)(shape, dtype)
    device.call(array.__setitem__, ..., value)
    return wrap(array, device)
