"""Layers and models: `Module`, the layers, losses, and their functional forms. Names and meanings are PyTorch's."""

from gpunet.nn import functional, init, utils
from gpunet.nn.activation import GELU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from gpunet.nn.container import ModuleDict, ModuleList, ParameterList, Sequential
from gpunet.nn.dropout import Dropout
from gpunet.nn.embedding import Embedding
from gpunet.nn.flatten import Flatten, Unflatten
from gpunet.nn.linear import Identity, Linear
from gpunet.nn.loss import CrossEntropyLoss, MSELoss
from gpunet.nn.module import Module
from gpunet.nn.parameter import Buffer, Parameter
from gpunet.nn.rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
