"""The functions that users register to be called around a module's forward, its backward pass and its state, and the
call of a module that calls them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from gpunet._warn import warn
from gpunet.engine.hooks import RemovableHandle
from gpunet.nn.backward_hooks import BackwardHooks
from gpunet.nn.registry import Registry

# The dictionaries of hooks that a module has, each made when it is first asked for.
_KINDS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks", "_state_dict_pre_hooks",
          "_state_dict_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")

# The hooks of all modules, by the same names.
_global: dict[str, OrderedDict[object, Any]] = {kind: OrderedDict() for kind in _KINDS[:4]}


class _Hook(NamedTuple):
    """A hook with options: whether it takes the keyword arguments too, and whether exceptions do not stop it."""

    function: Callable
    with_kwargs: bool
    always: bool = False


class Hooked(Registry):
    """Base of Module: its call, and the hooks that this calls."""

    # Whether a call has hooks to think of: lets a call without any skip them all.
    _hooked = False
    forward: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        if name in _KINDS:
            return self.__dict__.setdefault(name, OrderedDict())
        return super().__getattr__(name)

    def _hooks_of(self, kind: str) -> list[Any]:
        """The hooks of one kind: those of all modules, then this module's."""
        return [*_global.get(kind, {}).values(), *self.__dict__.get(kind, {}).values()]

    def _add_hook(self, kind: str, hook: Any, prepend: bool = False) -> RemovableHandle:
        if kind in _global:
            self.__dict__["_hooked"] = True
        hooks: OrderedDict[object, Any] = getattr(self, kind)
        handle = RemovableHandle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle._key, last=False)
        return handle

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooked:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            note_layer(error, self)
            raise

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        for hook in self._hooks_of("_forward_pre_hooks"):
            if isinstance(hook, _Hook):
                changed = hook.function(self, args, kwargs)
                if changed is not None:
                    args, kwargs = _pair(changed)
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        result, waiting = None, self._hooks_of("_forward_hooks")
        before, after = self._hooks_of("_backward_pre_hooks"), self._hooks_of("_backward_hooks")
        backward = BackwardHooks(self, before, after) if before or after else None
        try:
            if backward:
                args = backward.watch_inputs(args)
            result = self.forward(*args, **kwargs)
            while waiting:
                changed = _call_forward_hook(waiting.pop(0), self, args, kwargs, result)
                if changed is not None:
                    result = changed
            return backward.watch_outputs(result) if backward else result
        except Exception:
            for hook in waiting:
                if isinstance(hook, _Hook) and hook.always:
                    try:
                        _call_forward_hook(hook, self, args, kwargs, result)
                    except Exception as error:  # the first exception is the one to report
                        warn(f"a forward hook with always_call=True raised {error!r}")
            raise

    # ---- around forward

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """Registers a function that is called before `forward`.

        Args:
            hook: hook(module, args); what it returns, if not None, replaces the positional arguments.
            prepend: call it before the hooks that are there already.
            with_kwargs: call hook(module, args, kwargs) instead, which returns None or (args, kwargs).

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_forward_pre_hooks", _Hook(hook, True) if with_kwargs else hook, prepend)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Registers a function that is called after `forward`.

        Args:
            hook: hook(module, args, output); what it returns, if not None, replaces the output.
            prepend: call it before the hooks that are there already.
            with_kwargs: call hook(module, args, kwargs, output) instead.
            always_call: call it also if `forward` raises an exception.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_forward_hooks", _forward_hook(hook, with_kwargs, always_call), prepend)

    # ---- around the backward pass

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called when the gradients of the outputs have been computed.

        Args:
            hook: hook(module, grad_output), a tuple of gradients; what it returns, if not None, replaces grad_output.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called when the gradients of the inputs have been computed, or those of the
        outputs if no input requires a gradient.

        Args:
            hook: hook(module, grad_input, grad_output), two tuples of gradients; what it returns, if not None, replaces
                grad_input. Only positional tensor arguments are seen.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """The same as `register_full_backward_hook`, which PyTorch says to use instead.

        Args:
            hook: hook(module, grad_input, grad_output).

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self.register_full_backward_hook(hook)

    # ---- around the state

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Registers a function that is called before `state_dict` collects the tensors of this module.

        Args:
            hook: hook(module, prefix, keep_vars).

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Registers a function that is called after `state_dict` has collected the tensors of this module and those
        below.

        Args:
            hook: hook(module, state_dict, prefix, local_metadata), which may change the dictionary and returns None.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        def checked(*args: Any) -> None:
            if hook(*args) is not None:
                raise RuntimeError("state_dict: a hook of register_state_dict_post_hook must return None; change the "
                                   "dictionary in place")

        return self._add_hook("_state_dict_hooks", checked)

    def _register_state_dict_hook(self, hook: Callable) -> RemovableHandle:
        """The same, but what the hook returns, if not None, replaces the dictionary."""
        return self._add_hook("_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Registers a function that is called before `load_state_dict` looks for the tensors of this module.

        Args:
            hook: hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs),
                which may change the dictionary: this module and those below see the changes.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> RemovableHandle:
        """The same, by default without the module among the arguments."""
        return self._add_hook("_load_state_dict_pre_hooks",
                              hook if with_module else lambda module, *args: hook(*args))

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Registers a function that is called after `load_state_dict` has filled this module and those below.

        Args:
            hook: hook(module, incompatible_keys), which may change the lists incompatible_keys.missing_keys and
                .unexpected_keys, and so decide what is an error, and returns None.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_load_state_dict_post_hooks", hook)


def _forward_hook(hook: Callable, with_kwargs: bool, always_call: bool) -> Callable | _Hook:
    return _Hook(hook, with_kwargs, always_call) if with_kwargs or always_call else hook


def _call_forward_hook(hook: Any, module: Hooked, args: tuple, kwargs: dict[str, Any], result: Any) -> Any:
    if not isinstance(hook, _Hook):
        return hook(module, args, result)
    return hook.function(module, args, kwargs, result) if hook.with_kwargs else hook.function(module, args, result)


def _pair(changed: Any) -> tuple[tuple, dict[str, Any]]:
    if not isinstance(changed, tuple) or len(changed) != 2:
        raise RuntimeError("a forward pre-hook with with_kwargs=True must return None or (args, kwargs), got "
                           f"{type(changed).__name__}")
    return changed


def note_layer(error: Exception, module: Any) -> None:
    """Notes on an exception which layer raised it. Called by the layer, then by each module around it, which knows
    more of the path."""
    failed, line = getattr(error, "_gpunet_layer", (module, None))
    text = f"in {failed._get_name() if vars(failed).get('_modules') else repr(failed)}"
    if line is None:
        error.add_note(text)
        error.__dict__["_gpunet_layer"] = failed, len(error.__notes__) - 1
    elif failed is not module:
        path = next((path for path, inner in module.named_modules() if inner is failed), None)
        if path is not None:
            error.__notes__[line] = f"{text}, layer '{path}' of {module._get_name()}"


_usual_call = Hooked.__call__


def call_inside(context: Callable[[Any], Any] | None) -> None:
    """Has the call of every module happen inside `context(module)`; None: as usual, which then costs nothing. Unlike
    hooks this leaves modules plain: what Sequential computes by one op stays one."""
    if context is None:
        Hooked.__call__ = _usual_call
        return

    def call(self: Hooked, *args: Any, **kwargs: Any) -> Any:
        with context(self):
            return _usual_call(self, *args, **kwargs)

    Hooked.__call__ = call


# ---- the hooks of all modules --------------------------------------------------------------------------------------


class _GlobalHandle(RemovableHandle):
    """While there is a hook of all modules, each call looks for hooks."""

    def __init__(self, hooks: dict, hook: Any) -> None:
        super().__init__(hooks, hook)
        Hooked._hooked = True

    def remove(self) -> None:
        super().remove()
        Hooked._hooked = any(_global.values())


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Registers a function that is called before the `forward` of every module, ahead of the module's own hooks.

    Args:
        hook: hook(module, args); what it returns, if not None, replaces the positional arguments.

    Returns:
        A handle, whose remove() takes the hook out.

    Examples:
        >>> seen = []
        >>> handle = gpunet.nn.hooks.register_module_forward_pre_hook(lambda module, args: seen.append(module))
        >>> _ = nn.Sequential(nn.Tanh(), nn.Tanh())(gpunet.zeros(1))
        >>> handle.remove()
        >>> len(seen)
        3
    """
    return _GlobalHandle(_global["_forward_pre_hooks"], hook)


def register_module_forward_hook(hook: Callable, *, with_kwargs: bool = False,
                                 always_call: bool = False) -> RemovableHandle:
    """Registers a function that is called after the `forward` of every module, ahead of the module's own hooks.

    Args:
        hook: hook(module, args, output); what it returns, if not None, replaces the output.
        with_kwargs: call hook(module, args, kwargs, output) instead.
        always_call: call it also if `forward` raises an exception.

    Returns:
        A handle, whose remove() takes the hook out.

    Examples:
        >>> handle = gpunet.nn.hooks.register_module_forward_hook(lambda module, args, output: output * 2)
        >>> y = nn.Identity()(gpunet.ones(1))
        >>> handle.remove()
        >>> y
        tensor([2.])
    """
    return _GlobalHandle(_global["_forward_hooks"], _forward_hook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Registers a function that is called when the gradients of any module's outputs have been computed.

    Args:
        hook: hook(module, grad_output), a tuple of gradients; what it returns, if not None, replaces grad_output.

    Returns:
        A handle, whose remove() takes the hook out.

    Examples:
        >>> handle = gpunet.nn.hooks.register_module_full_backward_pre_hook(lambda module, grads: (grads[0] * 2,))
        >>> x = gpunet.ones(1, requires_grad=True)
        >>> nn.Identity()(x).backward()
        >>> handle.remove()
        >>> x.grad
        tensor([2.])
    """
    return _GlobalHandle(_global["_backward_pre_hooks"], hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Registers a function that is called when the gradients of any module's inputs have been computed.

    Args:
        hook: hook(module, grad_input, grad_output), two tuples of gradients; what it returns, if not None, replaces
            grad_input.

    Returns:
        A handle, whose remove() takes the hook out.

    Examples:
        >>> seen = []
        >>> handle = gpunet.nn.hooks.register_module_full_backward_hook(lambda m, inputs, outputs: seen.append(m))
        >>> nn.Tanh()(gpunet.ones(1, requires_grad=True)).backward()
        >>> handle.remove()
        >>> seen
        [Tanh()]
    """
    return _GlobalHandle(_global["_backward_hooks"], hook)
