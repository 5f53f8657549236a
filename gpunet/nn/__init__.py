"""Layers and models: `Module`, the layers, losses, and their functional forms. Names and meanings are PyTorch's."""

from gpunet.nn import functional, init, utils
from gpunet.nn.activation import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from gpunet.nn.container import ModuleDict, ModuleList, ParameterList, Sequential
from gpunet.nn.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout
from gpunet.nn.embedding import Embedding
from gpunet.nn.flatten import Flatten, Unflatten
from gpunet.nn.linear import Identity, Linear
from gpunet.nn.loss import CrossEntropyLoss, MSELoss
from gpunet.nn.module import Module
from gpunet.nn.parameter import Buffer, Parameter
from gpunet.nn.rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
