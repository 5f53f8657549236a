"""Automatic differentiation: gradients of any order of what was computed with tensors.

The user's face of it; the graph and its walk are in `gpunet/engine/`, below the ops.
"""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.autograd import functional, graph
from gpunet.autograd.anomaly import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)
from gpunet.autograd.function import Function
from gpunet.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from gpunet.autograd.variable import Variable
from gpunet.engine.differentiate import backward, grad
from gpunet.engine.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

__all__ = ["Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad", "functional", "grad",
           "gradcheck", "gradgradcheck", "graph", "inference_mode", "is_anomaly_check_nan_enabled",
           "is_anomaly_enabled", "is_grad_enabled", "is_inference_mode_enabled", "no_grad", "set_detect_anomaly",
           "set_grad_enabled"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
