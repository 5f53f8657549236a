"""What layers and training loops need besides: limits for gradients, parameters as a vector, batches of sequences."""

from gpunet.nn.utils import rnn
from gpunet.nn.utils.fusion import fuse_conv_bn_eval
from gpunet.nn.utils.parameters import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)
from gpunet.nn.utils.weight_norm import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "fuse_conv_bn_eval", "parameters_to_vector", "remove_spectral_norm",
           "remove_weight_norm", "rnn", "spectral_norm", "vector_to_parameters", "weight_norm"]
