"""Models built from gpunet.nn."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.models.mlp import MLP

__all__ = ["MLP"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
