"""Activations as layers. `gpunet.nn.functional` has each as a function."""

from gpunet.nn.activation.gates import GELU, GLU, Hardswish, Mish, SiLU
from gpunet.nn.activation.rectifiers import CELU, ELU, SELU, LeakyReLU, PReLU, ReLU, ReLU6, RReLU, Softplus, Threshold
from gpunet.nn.activation.shrinkage import Hardshrink, Softshrink, Tanhshrink
from gpunet.nn.activation.sigmoids import Hardsigmoid, Hardtanh, LogSigmoid, Sigmoid, Softsign, Tanh
from gpunet.nn.activation.softmax import LogSoftmax, Softmax, Softmax2d, Softmin

__all__ = ["CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
           "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax",
           "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold"]
