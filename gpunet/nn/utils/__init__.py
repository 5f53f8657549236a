"""What layers and training loops need besides: limits for gradients, parameters as a vector, batches of sequences."""

from gpunet.nn.utils import rnn
from gpunet.nn.utils.parameters import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)

__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "rnn", "vector_to_parameters"]
