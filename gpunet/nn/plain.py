"""Whether a module's call can be replaced by what its forward computes."""

from __future__ import annotations

from gpunet.nn.module import Module


def is_plain(module: Module, kind: type) -> bool:
    """Whether a call of the module is `kind.forward` and nothing else."""
    return type(module) is kind and not module._hooked and "forward" not in module.__dict__
