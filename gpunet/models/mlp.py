"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from gpunet import nn

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class MLP(nn.Sequential):
    """The multilayer perceptron: linear layers, with an activation (and dropout) after each but the last.

    Args:
        sizes: number of features of the input, of each hidden layer and of the output, such as `(64, 128, 64, 10)`.
        activation: "relu", "gelu", "tanh" or "sigmoid".
        dropout: probability that a hidden value is dropped in training; 0: no Dropout layers.

    Shape:
        Input [N, ...], flattened to [N, sizes[0]]; output [N, sizes[-1]], before a softmax.

    Raises:
        ValueError: there are fewer than two sizes, or the activation is unknown.

    Examples:
        >>> model = models.MLP((64, 32, 10))
        >>> model(gpunet.randn(5, 8, 8)).shape
        gpunet.Size([5, 10])
    """

    def __init__(self, sizes: Sequence[int], activation: str = "relu", dropout: float = 0.0) -> None:
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes {tuple(sizes)} need the features of the input and of the output.")
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
