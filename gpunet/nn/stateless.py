"""Stateless: the base of layers that have options but no parameters."""

from __future__ import annotations

from gpunet.nn.module import Module


class Stateless(Module):
    """Base of layers without parameters or buffers.

    A subclass keeps its options as attributes and lists in `_shown` those that its repr shows. An option `inplace` is
    shown only where it is on.
    """

    _shown: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()

    def extra_repr(self) -> str:
        """The options, as repr() shows them."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self._shown]
        return ", ".join(shown + ["inplace=True"] * getattr(self, "inplace", False))
