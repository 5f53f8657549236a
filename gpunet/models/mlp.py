"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from gpunet import nn

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class MLP(nn.Sequential):
    """Linear layers with an activation, and dropout if asked for, after each but the last.

    sizes: the features in, of each hidden layer, and out, e.g. `(64, 128, 64, 10)`.
    activation: "relu", "gelu", "tanh" or "sigmoid".
    dropout: the probability with which a hidden value is dropped in training; 0 puts no Dropout layers in.

    Input (N, ...) is flattened to (N, sizes[0]); output (N, sizes[-1]), without a softmax.
    """

    def __init__(self, sizes: Sequence[int], activation: str = "relu", dropout: float = 0.0) -> None:
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes {tuple(sizes)} must name the features in and out at least.")
        if activation not in ACTIVATIONS:
            raise ValueError(f"MLP: unknown activation {activation!r}; it is one of {', '.join(ACTIVATIONS)}.")
        layers: list[nn.Module] = [nn.Flatten()]
        for features, outputs in zip(sizes[:-2], sizes[1:-1], strict=True):
            layers += [nn.Linear(features, outputs), ACTIVATIONS[activation]()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(sizes[-2], sizes[-1]))
        super().__init__(*layers)
        self.sizes = tuple(sizes)
        self.activation = activation
        self.dropout = dropout
