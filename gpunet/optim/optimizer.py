"""Optimizer: parameter groups, their options, and the state that an update keeps between steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from gpunet import dispatch
from gpunet.autograd.modes import enable_grad, no_grad
from gpunet.dtypes import FLOAT64_NP
from gpunet.ops.optim import add_one
from gpunet.tensor import Tensor

# The value of an option that has no default.
required = type("required", (), {"__repr__": lambda self: "<required parameter>"})()


class Optimizer:
    """Base of the optimizers. A subclass gives `_update`.

    params: tensors, or dictionaries with "params" and options of their own (parameter groups). defaults: the options
    of groups that do not set them.

    What an update reads lies in device memory: the learning rate of each group, written by `refresh` when it has
    changed on the host, and the count of steps, which parameters of one group share while they take every step
    together. So a recorded step can be replayed (see `gpunet.compile`); other options, and the tensors of the state,
    are fixed in a recording: to replay it after a change of them raises RuntimeError.
    """

    def __init__(self, params: Iterable, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                            "a Tensor; pass [tensor]")
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._forget_device_memory()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _forget_device_memory(self) -> None:
        self._rates: dict = {}  # (group's number, device) -> [tensor, the value in it]
        self._members: dict = {}  # group's number -> which parameters took the last step
        self._empty: dict = {}  # (device, type) -> an empty tensor, for state that an update goes without

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with options of their own. Raises ValueError for a parameter that is there already.

        Differs from PyTorch, which only warns if a group has a parameter twice.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        if isinstance(group["params"], set):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but the ordering of "
                            "tensors in sets will change between runs. Please use a list instead.")
        group["params"] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        for p in group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, default)
        if isinstance(group.get("lr"), Tensor):
            group["lr"] = float(group["lr"])
        ids = [id(p) for p in chain(*(g["params"] for g in self.param_groups), group["params"])]
        if len(set(ids)) != len(ids):
            raise ValueError("some parameters appear in more than one parameter group, or twice in one")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or sets them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if set_to_none:
                        p.grad = None
                    else:
                        p.grad.detach_()
                        p.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None):
        """Updates all parameters that have a gradient. closure: computes the loss and its gradients anew; its result
        is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if dispatch.recorder is not None:
            dispatch.recorder.before_replay(_Replay(self))
        self.refresh()
        for index, group in enumerate(self.param_groups):
            active = [p for p in group["params"] if p.grad is not None]
            if active:
                self._update(index, group, active)
        return loss

    def _update(self, index: int, group: dict[str, Any], active: list[Tensor]) -> None:
        """Updates the parameters of a group that have a gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    # ---- what lies in device memory

    def refresh(self) -> None:
        """Writes the learning rates that have changed on the host to device memory, and touches nothing else. Not an
        op: a recorded step calls it before each replay."""
        for (index, _), entry in self._rates.items():
            rate = float(self.param_groups[index]["lr"])
            if rate != entry[1]:
                entry[0]._array.fill(rate)
                entry[1] = rate

    def _rate(self, index: int, device) -> Tensor:
        entry = self._rates.get((index, device))
        if entry is None:
            rate = float(self.param_groups[index]["lr"])
            entry = self._rates[index, device] = [_full(device, (), FLOAT64_NP, rate), rate]
        return entry[0]

    def _take_step(self, index: int, active: list[Tensor], names: tuple[str, ...]) -> list[dict[str, Any]]:
        """Counts a step of these parameters and returns their states, made where they are missing: zeros under `names`,
        and the count under "step"."""
        states = [self.state[p] for p in active]
        members = [(id(p), p._device, p._array.dtype) for p in active]
        if members != self._members.get(index) or any([len(state) <= len(names) for state in states]):
            self._members[index] = members
            self._make_state(active, states, names)
            self._share_steps(index, active, states)
        for step in {id(state["step"]): state["step"] for state in states}.values():
            add_one.into((step,), step)
        return states

    def _make_state(self, active, states, names) -> None:
        for p, state in zip(active, states, strict=True):
            for name in names:
                if name not in state:
                    state[name] = _full(p._device, p._array.shape, p._array.dtype, 0)
                elif state[name]._device is not p._device or state[name]._array.dtype != p._array.dtype:
                    state[name] = state[name].to(p.device, p.dtype)  # the model has moved since

    def _share_steps(self, index, active, states) -> None:
        """Gives every parameter a step count, one tensor for all that have the same count and step together now."""
        resting = {id(p): p for p in self.param_groups[index]["params"]}
        for p in active:
            del resting[id(p)]
        taken = {id(self.state[p].get("step")) for p in resting.values() if p in self.state}
        shared: dict = {}  # (id of the tensor until now, device) -> the tensor from now on
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
                    shared[key] = dispatch.wrap(old._array.copy(), old._device) if id(old) in taken else old
            state["step"] = shared[key]

    def _nothing(self, p: Tensor) -> Tensor:
        """An empty tensor like `p`, for state that an update goes without."""
        key = p._device, p._array.dtype
        if key not in self._empty:
            self._empty[key] = _full(p._device, (0,), p._array.dtype, 0)
        return self._empty[key]

    # ---- state

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number of the parameter: its state}, "param_groups": options, and numbers for "params"}: PyTorch's
        format. The tensors are not copied."""
        numbers = {id(p): i for i, p in enumerate(chain(*(g["params"] for g in self.param_groups)))}
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[id(p)]: dict(state) for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave, with copies of its tensors on the parameters' devices."""
        groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(new["params"]) != len(old["params"]) for new, old in zip(groups, self.param_groups, strict=True)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's "
                             "group")
        state: dict = defaultdict(dict)
        for new, old in zip(groups, self.param_groups, strict=True):
            steps: dict = {}  # (device, count) -> the tensor that parameters with this count share
            for number, p in zip(new["params"], old["params"], strict=True):
                given = state_dict["state"].get(number)
                if given is not None:
                    state[p] = self._load_state(p, given, steps)
            new["params"] = old["params"]
            for name, value in old.items():
                new.setdefault(name, value)
        self.param_groups, self.state = groups, state
        self._members.clear()

    def _load_state(self, p: Tensor, given: dict[str, Any], steps: dict) -> dict[str, Any]:
        state = {}
        for name, value in given.items():
            if name == "step":
                key = p._device, float(value)
                if key not in steps:
                    steps[key] = _full(p._device, (), FLOAT64_NP, key[1])
                value = steps[key]
            elif hasattr(value, "__array__"):
                with no_grad():
                    value = _full(p._device, tuple(value.shape), p._array.dtype, 0).copy_(_own(value))
                if value.shape != p.shape:
                    raise ValueError(f"loaded state dict has {name!r} of shape {tuple(value.shape)} for a parameter of "
                                     f"shape {tuple(p.shape)}")
            state[name] = value
        return state

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state) -> None:
        self.__dict__.update(state)
        self._forget_device_memory()

    def __repr__(self):
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}", *(f"    {k}: {group[k]}" for k in sorted(group) if k != "params")]
        return "\n".join([*lines, ")"])


class _Replay:
    """Called before each replay of a recorded step: checks what the recording takes for granted, then refreshes."""

    def __init__(self, optimizer: Optimizer):
        self.optimizer, self.state, self.options = optimizer, optimizer.state, self.fixed(optimizer)

    @staticmethod
    def fixed(optimizer):
        names = [name for name in optimizer.defaults if name != "lr"]
        return [[(name, group[name]) for name in names] for group in optimizer.param_groups]

    def __call__(self) -> None:
        name = type(self.optimizer).__name__
        if self.optimizer.state is not self.state:
            raise RuntimeError(f"{name}: the state was replaced after this step was recorded (gpunet.compile), which "
                               "would go on with the old one; call load_state_dict before the first step")
        now = self.fixed(self.optimizer)
        if now != self.options:
            changed = [f"{key} from {old} to {new}" for before, after in zip(self.options, now, strict=False)
                       for (key, old), (_, new) in zip(before, after, strict=True) if old != new]
            raise RuntimeError(f"{name}: {', '.join(changed) or 'the parameter groups'} changed after this step was "
                               "recorded (gpunet.compile); only learning rates can change between its calls")
        self.optimizer.refresh()


def _full(device, shape, dtype, value) -> Tensor:
    """A filled tensor that no recording knows of: a replay must not fill it again."""
    array = device.empty(shape, dtype)
    array[...] = value
    return dispatch.wrap(array, device)


def _own(value) -> Tensor:
    """A tensor with the values of a tensor or of another library's array."""
    if isinstance(value, Tensor):
        return value.detach()
    from gpunet.ops.creation import tensor

    return tensor(np.asarray(value), device="cpu")


def check_at_least_0(options: dict[str, float]) -> None:
    """Raises PyTorch's ValueError for a negative option."""
    for name, value in options.items():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {name}: {value}")
