"""Keras's way to write, compile and fit models, upon gpunet.nn and gpunet.train."""

from gpunet.keras import (
    activations,
    callbacks,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    utils,
)
from gpunet.keras.layers import Input, Layer
from gpunet.keras.models import Model, Sequential
from gpunet.keras.symbolic import KerasTensor

__all__ = ["Input", "KerasTensor", "Layer", "Model", "Sequential", "activations", "callbacks", "datasets",
           "initializers", "layers", "losses", "metrics", "models", "optimizers", "utils"]
