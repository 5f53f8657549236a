"""A network that tells numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_sample_weight, validate_data

from gpunet import nn
from gpunet.nn import functional as F
from gpunet.sklearn.network import Network

__all__ = ["Regressor"]

_LOSSES = {"squared_error": F.mse_loss, "absolute_error": F.l1_loss, "huber": F.huber_loss}


class Regressor(RegressorMixin, Network):
    """A network for numbers. Scale the features first, as for every network; the targets are scaled inside.

    Args:
        hidden_layer_sizes: number of units of each hidden layer.
        activation: after each of them: "relu", "tanh", "logistic", "gelu" or "identity".
        module: makes another network from the numbers of features and of outputs; the settings of layers then do
            nothing.
        optimizer: "adam", "adamw", "sgd" or "rmsprop".
        learning_rate: of the optimizer.
        weight_decay: of the optimizer.
        dropout: probability that a hidden value is dropped in training.
        max_epochs: number of passes over the data; fewer with early stopping.
        batch_size: examples in a step; "auto": 200, or all if there are fewer.
        early_stopping: hold out a part of the data, and stop when its loss has become no better.
        validation_fraction: the share of that part.
        patience: how many epochs without a better loss are one too many.
        device: where to train, such as "cpu" or "cuda"; None: the CPU.
        dtype: of the weights: "float32" or "float64".
        random_state: a seed or NumPy's RandomState, for the first weights, the order of the examples and dropout.
        loss: "squared_error", "absolute_error" or "huber", of the scaled targets.

    Attributes:
        model_: the trained network, of the scaled targets.
        history_: the epochs' losses.
        n_iter_: number of epochs.
        n_features_in_: number of features.

    Examples:
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from gpunet.sklearn import Regressor
        >>> x, y = load_diabetes(return_X_y=True)
        >>> model = make_pipeline(StandardScaler(), Regressor((16,), max_epochs=40, random_state=0))
        >>> model.fit(x, y).score(x, y) > 0.4
        True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        module: Callable[[int, int], nn.Module] | None = None,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        max_epochs: int = 200,
        batch_size: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        device: str | None = None,
        dtype: str = "float32",
        random_state: Any = None,
        loss: str = "squared_error",
    ) -> None:
        super().__init__(hidden_layer_sizes, activation, module=module, optimizer=optimizer,
                         learning_rate=learning_rate, weight_decay=weight_decay, dropout=dropout,
                         max_epochs=max_epochs, batch_size=batch_size, early_stopping=early_stopping,
                         validation_fraction=validation_fraction, patience=patience, device=device, dtype=dtype,
                         random_state=random_state)
        self.loss = loss

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Trains a new network.

        Args:
            X: features [N, F].
            y: the targets [N] or [N, outputs].
            sample_weight: how much each example counts in the loss [N]; None: all alike.

        Returns:
            The regressor itself.

        Raises:
            ValueError: a setting is none, or the data are not what they should be.
        """
        self._checked()
        if self.loss not in _LOSSES:
            raise ValueError(f"Regressor: loss must be one of {', '.join(_LOSSES)}, got {self.loss!r}")
        x: Any
        x, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        targets = np.asarray(y, np.float64).reshape(len(x), -1)
        self._flat = np.ndim(y) == 1
        self._mean = np.average(targets, axis=0, weights=weights)
        deviation = np.sqrt(np.average((targets - self._mean) ** 2, axis=0, weights=weights))
        self._scale = np.where(deviation > 0, deviation, 1.0)
        self._train(x, (targets - self._mean) / self._scale, weights, targets.shape[1], _LOSSES[self.loss],
                    stratify=False)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The targets.

        Args:
            X: features [N, F].

        Returns:
            Numbers [N] or [N, outputs], as `fit` had them.
        """
        targets = self._outputs(X) * self._scale + self._mean
        return targets[:, 0] if self._flat else targets
