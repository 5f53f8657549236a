"""Gradient checkpointing: `gpunet.utils.checkpoint`."""

from gpunet.utils import checkpoint

__all__ = ["checkpoint"]
