"""Layers with Keras's names and defaults."""

from gpunet.keras.layers.core import (
    Activation,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)
from gpunet.keras.layers.images import AveragePooling2D, Conv2D, GlobalAveragePooling2D, MaxPooling2D
from gpunet.keras.layers.inputs import Input, InputLayer
from gpunet.keras.layers.layer import Layer
from gpunet.keras.layers.merging import Add, Average, Concatenate, Maximum, Multiply, Subtract
from gpunet.keras.layers.normalization import BatchNormalization, LayerNormalization
from gpunet.keras.layers.recurrent import GRU, LSTM, SimpleRNN

__all__ = ["GRU", "LSTM", "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate",
           "Conv2D", "Dense", "Dropout", "Embedding", "Flatten", "GlobalAveragePooling2D", "Input", "InputLayer",
           "Layer", "LayerNormalization", "MaxPooling2D", "Maximum", "Multiply", "ReLU", "Rescaling", "Reshape",
           "SimpleRNN", "Softmax", "Subtract"]
