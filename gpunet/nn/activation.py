"""Activations as layers; their formulas are in `gpunet.nn.functional`."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.function_layer import layer_of
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.tensor import Tensor

CELU = layer_of("CELU", F.celu)
ELU = layer_of("ELU", F.elu)
GELU = layer_of("GELU", F.gelu)
GLU = layer_of("GLU", F.glu)
Hardshrink = layer_of("Hardshrink", F.hardshrink, shows="{lambd}")
Hardsigmoid = layer_of("Hardsigmoid", F.hardsigmoid, shows="")
Hardswish = layer_of("Hardswish", F.hardswish, shows="")
Hardtanh = layer_of("Hardtanh", F.hardtanh)
LeakyReLU = layer_of("LeakyReLU", F.leaky_relu)
LogSigmoid = layer_of("LogSigmoid", F.logsigmoid)
LogSoftmax = layer_of("LogSoftmax", F.log_softmax, "dim")
Mish = layer_of("Mish", F.mish)
RReLU = layer_of("RReLU", F.rrelu)
ReLU = layer_of("ReLU", F.relu)
ReLU6 = layer_of("ReLU6", F.relu6)
SELU = layer_of("SELU", F.selu)
SiLU = layer_of("SiLU", F.silu)
Sigmoid = layer_of("Sigmoid", F.sigmoid)
Softmax = layer_of("Softmax", F.softmax, "dim")
Softmin = layer_of("Softmin", F.softmin, "dim")
Softplus = layer_of("Softplus", F.softplus)
Softshrink = layer_of("Softshrink", F.softshrink, shows="{lambd}")
Softsign = layer_of("Softsign", F.softsign)
Tanh = layer_of("Tanh", F.tanh)
Tanhshrink = layer_of("Tanhshrink", F.tanhshrink)
Threshold = layer_of("Threshold", F.threshold)


class Softmax2d(Module):
    """Softmax over the channels of [samples, channels, height, width]; the samples may be left out."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected an input of 3 or 4 dimensions, got shape {tuple(input.shape)}")
        return F.softmax(input, -3)


class PReLU(Module):
    """x, but weight * x where x <= 0, with learnt weights (He et al., 2015): one, or one for each channel, which is
    dimension 1. The weights should not decay."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device=None, dtype=None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(creation.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets all weights to `init`."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
