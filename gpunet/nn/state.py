"""The state of a module: what `Module.state_dict` collects and `Module.load_state_dict` puts back.

Each module collects and fills its own part, in `_save_to_state_dict` and `_load_from_state_dict`, which subclasses may
override, and around which hooks are called: see hooks.py.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gpunet._warn import warn
from gpunet.engine.modes import no_grad
from gpunet.nn.hooks import Hooked
from gpunet.nn.parameter import Parameter, is_lazy
from gpunet.ops import creation
from gpunet.tensor import Tensor

_EXTRA = "_extra_state"  # the key of what get_extra_state returns


class IncompatibleKeys(NamedTuple):
    """The keys that a state dictionary lacks, and those that it has too many."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class _Loading(threading.local):
    """The `load_state_dict` of this thread."""

    # What has to be done once all is known to fit; None: it is done at once, as code of the user may look at it.
    later: list[Callable[[], None]] | None = None


_loading = _Loading()


def _when_all_fits(action: Callable[[], None]) -> None:
    if _loading.later is None:
        action()
    else:
        _loading.later.append(action)


class Stateful(Hooked):
    """Base of Module: its state as a dictionary."""

    _version: int | None = 1  # of what the class saves: it is in the dictionary's _metadata, for later classes to read

    def get_extra_state(self) -> Any:
        """What a subclass saves besides tensors: `state_dict` has it under the key `_extra_state`. A subclass that
        overrides it overrides `set_extra_state` too.

        Returns:
            Anything.
        """
        raise RuntimeError(f"{type(self).__name__}: get_extra_state is not defined; override it and set_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Takes back what `get_extra_state` returned; called by `load_state_dict`.

        Args:
            state: what was saved.
        """
        raise RuntimeError(f"{type(self).__name__}: set_extra_state is not defined; override it and get_extra_state")

    def _own_state(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where this module's own tensors of the state are: their names, and the dictionaries that hold them."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, self._parameters
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, self._buffers

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Puts this module's own state, without that of modules below, into a dictionary."""
        for name, holder in self._own_state():
            tensor = holder[name]
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def state_dict(self, *args: Any, destination: dict[str, Any] | None = None, prefix: str = "",
                   keep_vars: bool = False) -> dict[str, Any]:
        """All parameters and persistent buffers by their paths.

        Args:
            args: destination, prefix and keep_vars by place, as older programs give them.
            destination: a dictionary to fill; None for a new one.
            prefix: what to put before all paths.
            keep_vars: give the Parameters themselves rather than detached tensors, which share their memory.

        Returns:
            The dictionary.
        """
        given: tuple[Any, ...] = (*args, *(destination, prefix, keep_vars)[len(args):])
        found: Any = given[0]
        prefix, keep_vars = given[1:]
        if found is None:
            found = OrderedDict()
            found._metadata = OrderedDict()  # the versions of the modules, by their paths
        metadata: dict[str, Any] = {"version": self._version}
        if hasattr(found, "_metadata"):
            found._metadata[prefix[:-1]] = metadata
        for hook in self._hooks_of("_state_dict_pre_hooks"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(found, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of("_state_dict_hooks"):
            replaced = hook(self, found, prefix, metadata)
            found = found if replaced is None else replaced
        return found

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any],
                              strict: bool, missing_keys: list[str], unexpected_keys: list[str],
                              error_msgs: list[str]) -> None:
        """Takes this module's own state, without that of modules below, from a dictionary."""
        for hook in self._hooks_of("_load_state_dict_pre_hooks"):
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign, known = local_metadata.get("assign_to_params_buffers", False), set()
        for name, holder in self._own_state():
            key = prefix + name
            known.add(name)
            if key in state_dict:
                self._load_tensor(key, name, holder, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        if type(self).set_extra_state is not Stateful.set_extra_state:
            known.add(_EXTRA)
            if prefix + _EXTRA in state_dict:
                extra = state_dict[prefix + _EXTRA]
                _when_all_fits(lambda: self.set_extra_state(extra))
            elif strict:
                missing_keys.append(prefix + _EXTRA)
        if strict:
            for key in state_dict:
                first, dot, _ = key[len(prefix):].partition(".")
                if key.startswith(prefix) and first not in (self._modules if dot else known):
                    unexpected_keys.append(key)

    def _load_tensor(self, key: str, name: str, holder: dict[str, Any], given: Any, assign: bool,
                     error_msgs: list[str]) -> None:
        target, value = holder[name], _as_tensor(given, key)
        if is_lazy(target) or is_lazy(value):
            if is_lazy(target) and not is_lazy(value):  # a lazy module's hook gives its parameters their shapes before
                error_msgs.append(f"{key} has no shape yet: run the module once, or load into one that has run")
            elif is_lazy(value) and not is_lazy(target):
                error_msgs.append(f"{key} was saved before its shape was known; run the module once before saving it")
            return
        if target._array.ndim == 0 and value._array.shape == (1,):
            value = value.reshape(())
        if value.shape != target.shape:
            error_msgs.append(f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the "
                              f"shape in current model is {target.shape}.")
            return

        def load() -> None:
            with no_grad():
                if not assign:
                    if target.is_meta and not value.is_meta:
                        warn(f"for {key}: copying a value into a parameter on the device meta, which keeps "
                             "none; load with assign=True, or call to_empty(device=...) first")
                    target.copy_(value)
                elif isinstance(target, Parameter):
                    setattr(self, name, value if isinstance(value, Parameter) else
                            Parameter(value, target.requires_grad))
                else:
                    setattr(self, name, value)

        _when_all_fits(load)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> IncompatibleKeys:
        """Copies parameters and buffers from a dictionary into this module. If anything is wrong, nothing is changed,
        unless a class of the user's overrides `_load_from_state_dict` or there is a hook that is called afterwards:
        then what fits is loaded, as in PyTorch.

        Args:
            state_dict: tensors, or arrays of another library, by their paths.
            strict: missing and unexpected keys are errors.
            assign: take the given tensors instead of copying them.

        Returns:
            The missing keys and the unexpected ones, as (missing_keys, unexpected_keys).

        Raises:
            RuntimeError: lists all that is wrong: keys, if strict, and shapes.
            TypeError: state_dict is no dictionary, or a value no array.
        """
        if not isinstance(state_dict, Mapping) and not hasattr(state_dict, "keys"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        given, errors = OrderedDict(state_dict), list[str]()
        metadata = getattr(state_dict, "_metadata", None) or {}
        keys = IncompatibleKeys([], [])

        def load(module: Stateful, part: dict[str, Any], prefix: str) -> None:
            local_metadata = dict(metadata.get(prefix[:-1], {}))
            if assign:
                local_metadata["assign_to_params_buffers"] = True
            module._load_from_state_dict(part, prefix, local_metadata, True, keys.missing_keys, keys.unexpected_keys,
                                         errors)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {key: value for key, value in part.items() if key.startswith(below)}, below)
            for hook in module._hooks_of("_load_state_dict_post_hooks"):
                if hook(module, keys) is not None:
                    raise AssertionError("load_state_dict: a hook of register_load_state_dict_post_hook must return "
                                         "None; change incompatible_keys in place")

        before = _loading.later
        later = _loading.later = None if any(map(_may_be_looked_at, self.modules())) else []
        try:
            load(self, given, "")
        finally:
            _loading.later = before
        if strict and keys.unexpected_keys:
            errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(keys.unexpected_keys)}. ")
        if strict and keys.missing_keys:
            errors.insert(0, f"Missing key(s) in state_dict: {_quoted(keys.missing_keys)}. ")
        if errors:
            listed = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        for action in later or ():
            action()
        return keys


def _may_be_looked_at(module: Any) -> bool:
    """Whether code of the user's runs between the parts of `load_state_dict`, which may look at what was loaded."""
    method = type(module)._load_from_state_dict
    return bool(module._hooks_of("_load_state_dict_post_hooks")) or not method.__module__.startswith("gpunet.")


def _quoted(keys: Iterable[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _as_tensor(value: Any, key: str) -> Tensor:
    """Another library's array serves as well as a tensor: weights move both ways."""
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "__array__"):
        return creation.tensor(np.asarray(value), device="cpu")
    raise TypeError(f"load_state_dict: the value of {key!r} must be a tensor or an array, got {type(value).__name__}")
