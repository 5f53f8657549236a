"""cupy.lib, of which there is stride_tricks."""

import types
from typing import Any

import numpy as np

from gpunet.sim.cupy._array import ndarray, wrap


def _as_strided(x: Any, shape: Any = None, strides: Any = None) -> ndarray:
    return wrap(np.lib.stride_tricks.as_strided(x._host, shape, strides))


stride_tricks = types.SimpleNamespace(as_strided=_as_strided)
