"""Optimizer: parameter groups, their options, the state that an update keeps between steps, and hooks."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from gpunet.engine.extensions import extensions
from gpunet.engine.hooks import RemovableHandle
from gpunet.engine.modes import no_grad
from gpunet.ops import creation
from gpunet.tensor import Tensor

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]

# The value of an option that has no default.
required = type("required", (), {"__repr__": lambda self: "<required parameter>"})()


def one_number(lr: Tensor) -> float:
    if lr.numel() != 1:
        raise ValueError(f"lr must be a number or a tensor of one, got shape {tuple(lr.shape)}")
    return lr.item()


def _with_hooks(step: Callable) -> Any:
    """A step() between the hooks, which tells a recorder what its recording takes for granted."""

    @functools.wraps(step)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        self = args[0]
        self._stepped = True
        hooks = self._hooks
        if hooks:
            for hook in list(hooks["step_pre"].values()):
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not isinstance(changed, tuple) or len(changed) != 2:
                        raise RuntimeError(f"{hook} must return None or a tuple of (new_args, new_kwargs), but got "
                                           f"{changed}.")
                    args, kwargs = changed
        if extensions.recorder is not None:
            extensions.recorder.before_replay(_Replay(self))
        if extensions.profiler is None:
            loss = step(*args, **kwargs)
        else:
            with extensions.profiler.range(f"Optimizer.step#{type(self).__name__}.step"):
                loss = step(*args, **kwargs)
        if hooks:
            for hook in list(hooks["step_post"].values()):
                hook(self, args, kwargs)
        return loss

    vars(hooked)["hooked"] = True
    return hooked


class Optimizer:
    """Base of the optimizers.

    A subclass gives `step`, or is a `Fused` one. An optimizer of your own is a subclass with a `step` in tensor
    operations under `no_grad`, as in PyTorch; a recorded step (`gpunet.compile`) sees its options, the learning rate
    too, as fixed.

    Args:
        params: tensors, (name, tensor) pairs, or parameter groups: dictionaries with "params" and their own options.
        defaults: the options of groups that do not set them.

    Attributes:
        param_groups: the groups, dictionaries of "params" and options.
        state: what is kept of each parameter between steps.

    Raises:
        TypeError: params is one tensor, or holds something else.
        ValueError: params is empty, or has a parameter twice.

    Examples:
        >>> class SignDescent(optim.Optimizer):
        ...     def __init__(self, params, lr):
        ...         super().__init__(params, {"lr": lr})
        ...     @gpunet.no_grad()
        ...     def step(self):
        ...         for group in self.param_groups:
        ...             for p in group["params"]:
        ...                 p.sub_(p.grad.sign() * group["lr"])
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> (p * p).sum().backward()
        >>> SignDescent([p], lr=0.5).step()
        >>> p.detach()
        tensor([0.5000, 1.5000])
    """

    live: tuple[str, ...] = ()  # the options whose changes a recorded step follows
    _stepped = False

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                            "a Tensor; pass [tensor]")
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._start()
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls) and not hasattr(cls.step, "hooked"):
            cls.step = _with_hooks(cls.step)

    def _start(self) -> None:
        """What an optimizer has that is not copied with it."""
        self._hooks: dict[str, OrderedDict] = {}  # made when the first hook is registered

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with options of their own.

        Differs from PyTorch, which only warns if a group has a parameter twice.

        Args:
            param_group: "params", and options that differ from the optimizer's.

        Raises:
            TypeError: param_group is no dictionary, its parameters are a set, or one is no tensor.
            ValueError: a parameter is there already or is no leaf, or an option without a default is missing.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        if isinstance(group["params"], set):
            raise TypeError("optimizer parameters need to be organized in ordered collections, but the ordering of "
                            "tensors in sets will change between runs. Please use a list instead.")
        group["params"] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        named = [isinstance(p, tuple) for p in group["params"]]
        if any(named) and not all(named):
            raise ValueError("all optimizer params should be with/without names; some names are missing")
        if any(named):
            group["param_names"], group["params"] = map(list, zip(*group["params"], strict=True))
        if any(("param_names" in group) != ("param_names" in other) for other in self.param_groups):
            raise ValueError("all optimizer param groups should be with/without names. Got param group with the other "
                             "kind")
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
            group["lr"] = one_number(group["lr"])
        ids = [id(p) for p in chain(*(g["params"] for g in self.param_groups), group["params"])]
        if len(set(ids)) != len(ids):
            raise ValueError("some parameters appear in more than one parameter group, or twice in one")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients of all parameters.

        Args:
            set_to_none: drop them, which saves memory; otherwise set them to zero.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if set_to_none:
                        p.grad = None
                    else:
                        p.grad.detach_()
                        p.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates all parameters that have a gradient.

        Args:
            closure: computes the loss and its gradients anew; its result is returned.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def refresh(self) -> None:
        """Brings what a recorded step reads on the device up to date; called before each replay."""

    # ---- hooks

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Registers a function that is called before each step.

        Args:
            hook: hook(optimizer, args, kwargs), args being (optimizer, perhaps closure); if it returns (args, kwargs),
                the step takes these.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("step_pre", hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Registers a function that is called after each step.

        Args:
            hook: hook(optimizer, args, kwargs).

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called before `state_dict`.

        Args:
            hook: hook(optimizer).
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("state_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called after `state_dict`.

        Args:
            hook: hook(optimizer, state_dict); what it returns, if not None, is the result.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("state_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called before `load_state_dict`.

        Args:
            hook: hook(optimizer, state_dict); what it returns, if not None, is loaded.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("load_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called after `load_state_dict`.

        Args:
            hook: hook(optimizer).
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("load_post", hook, prepend)

    def _add_hook(self, kind: str, hook: Callable, prepend: bool = False) -> RemovableHandle:
        if not self._hooks:
            self._hooks.update({k: OrderedDict() for k in ("step_pre", "step_post", "state_pre", "state_post",
                                                           "load_pre", "load_post")})
        handle = RemovableHandle(self._hooks[kind], hook)
        if prepend:
            self._hooks[kind].move_to_end(handle._key, last=False)
        return handle

    def _call_hooks(self, kind: str, *value: Any) -> Any:
        """Calls the hooks of a kind, each of which may replace `value`."""
        for hook in list(self._hooks.get(kind, {}).values()):
            changed = hook(self, *value)
            value = (changed,) if value and changed is not None else value
        return value[0] if value else None

    # ---- state

    def state_dict(self) -> dict[str, Any]:
        """The options and the state, in PyTorch's format. The tensors are not copied, but for the counts of steps.

        Returns:
            {"state": {number of a parameter: its state}, "param_groups": options, and numbers for "params"}.
        """
        self._call_hooks("state_pre")
        numbers = {id(p): i for i, p in enumerate(chain(*(g["params"] for g in self.param_groups)))}
        groups = [{**group, "params": [numbers[id(p)] for p in group["params"]]} for group in self.param_groups]
        states = {numbers[id(p)]: self._shown_state(state) for p, state in self.state.items()}
        return self._call_hooks("state_post", {"state": states, "param_groups": groups})

    def _shown_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """What state_dict() has of a parameter's state."""
        return dict(state)

    def _kept(self, group: dict[str, Any]) -> set[str] | None:
        """The names of the state that `state_dict` has of each parameter after a step with a group's options; None if
        they are not known before."""
        return None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave, with copies of its tensors on the parameters' devices.

        Args:
            state_dict: what `state_dict` gave.

        Raises:
            ValueError: the groups do not fit.
        """
        state_dict = self._call_hooks("load_pre", dict(state_dict))
        groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(new["params"]) != len(old["params"]) for new, old in zip(groups, self.param_groups, strict=True)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's "
                             "group")
        state: dict = defaultdict(dict)
        for new, old in zip(groups, self.param_groups, strict=True):
            shared: dict = {}
            for number, p in zip(new["params"], old["params"], strict=True):
                given = state_dict["state"].get(number)
                if given is not None:
                    state[p] = self._load_state(p, given, shared)
            new["params"] = old["params"]
            for name, value in old.items():
                new.setdefault(name, value)
        self.param_groups, self.state = groups, state
        self._call_hooks("load_post")

    def _load_state(self, p: Tensor, given: dict[str, Any], shared: dict[Any, Any]) -> dict[str, Any]:
        """A parameter's state, from what a state_dict has. `shared`: what parameters of its group may share."""

        def load(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return type(value)(map(load, value))
            if hasattr(value, "__array__"):
                own = own_tensor(value)
                return own.to(p.device, p.dtype if own.is_floating_point() else own.dtype, copy=True)
            return deepcopy(value)

        with no_grad():
            return {name: load(value) for name, value in given.items()}

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}", *(f"    {k}: {group[k]}" for k in sorted(group) if k != "params")]
        return "\n".join([*lines, ")"])


class _Replay:
    """Called before each replay of a recorded step: checks what the recording takes for granted, then refreshes."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.state, self.options = optimizer, optimizer.state, self.fixed(optimizer)

    @staticmethod
    def fixed(optimizer: Optimizer) -> list[list[tuple[str, Any]]]:
        names = [name for name in optimizer.defaults if name not in optimizer.live]
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
            live = " and ".join(self.optimizer.live)
            cycled = any(key.startswith(("betas ", "momentum ")) for key in changed)
            remedy = "; a schedule that cycles the momentum takes cycle_momentum=False" if cycled else ""
            raise RuntimeError(f"{name}: {', '.join(changed) or 'the parameter groups'} changed after this step was "
                               f"recorded (gpunet.compile); only {live or 'values of tensors'} can change between its "
                               f"calls{remedy}")
        self.optimizer.refresh()


def own_tensor(value: Any) -> Tensor:
    """A tensor with the values of a tensor or of another library's array."""
    return value.detach() if isinstance(value, Tensor) else creation.tensor(np.asarray(value), device="cpu")
