"""What does not belong to one layer: gradient checkpointing."""

from gpunet.utils import checkpoint

__all__ = ["checkpoint"]
