"""`gpunet.data` by PyTorch's path: datasets, samplers and the DataLoader."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.data import *
from gpunet.data import __all__

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
