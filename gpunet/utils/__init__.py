"""Gradient checkpointing, PyTorch's path to the DataLoader, and TensorBoard."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.utils import checkpoint

__all__ = ["checkpoint"]

if typing.TYPE_CHECKING:  # imported when they are asked for
    from gpunet.utils import data, tensorboard
else:
    __getattr__ = _attributes_of(__name__)
