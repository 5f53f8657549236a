"""What layers and training loops need besides: limits for gradients, parameters as a vector, batches of sequences."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gpunet._names import attributes_of as _attributes_of
from gpunet.nn.utils import rnn
from gpunet.nn.utils.fusion import fuse_conv_bn_eval
from gpunet.nn.utils.parameters import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)
from gpunet.nn.utils.weight_norm import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

if TYPE_CHECKING:
    from gpunet.nn.utils import parametrizations, parametrize, prune

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "fuse_conv_bn_eval", "get_total_norm",
           "parameters_to_vector", "parametrizations", "parametrize", "prune", "remove_spectral_norm",
           "remove_weight_norm", "rnn", "spectral_norm", "vector_to_parameters", "weight_norm"]


def __getattr__(name: str) -> Any:
    """The modules that few programs need are imported when they are asked for."""
    if name in ("parametrizations", "parametrize", "prune"):
        return import_module(f"gpunet.nn.utils.{name}")
    return _attributes_of(__name__)(name)


def __dir__() -> list[str]:
    """For dir() and completion: what is imported when it is asked for, too."""
    return sorted({*globals(), *__all__})
