"""Models built from gpunet.nn."""

from gpunet.models.mlp import MLP

__all__ = ["MLP"]
