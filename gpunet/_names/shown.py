"""The name under which types and shapes are shown: `gpunet.float32`, and `torch.float32` in a program that imports
`torch` (see `gpunet/torch`)."""

from __future__ import annotations

__all__ = ["shown"]


class Shown:
    """The name."""

    __slots__ = ("library",)

    def __init__(self) -> None:
        self.library = "gpunet"


shown = Shown()
