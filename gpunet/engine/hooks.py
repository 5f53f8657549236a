"""Functions that are called when something happens, until they are removed."""

from __future__ import annotations

from collections.abc import Callable


class RemovableHandle:
    """Registers a function in a dict of hooks, and takes it out again: by remove(), or at the end of a `with` block."""

    def __init__(self, hooks: dict, hook: Callable):
        self._hooks, self._key = hooks, object()
        hooks[self._key] = hook

    def remove(self) -> None:
        """Takes the hook out; once is enough, twice does no harm."""
        self._hooks.pop(self._key, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
