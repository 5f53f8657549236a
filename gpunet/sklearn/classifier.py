"""A network that tells classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from gpunet import nn
from gpunet.sklearn.network import Network

__all__ = ["Classifier"]


class Classifier(ClassifierMixin, Network):
    """A network for classes, trained by cross-entropy. Scale the features first, as for every network.

    Args:
        hidden_layer_sizes: number of units of each hidden layer.
        activation: after each of them: "relu", "tanh", "logistic", "gelu" or "identity".
        module: makes another network from the numbers of features and of outputs, which are scores before a softmax;
            the settings of layers then do nothing.
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
        class_weight: how much each class counts in the loss: a dictionary, or "balanced"; None: all alike.
        label_smoothing: share of each target's probability that goes to all classes alike.

    Attributes:
        classes_: the classes, sorted.
        model_: the trained network.
        history_: the epochs' losses.
        n_iter_: number of epochs.
        n_features_in_: number of features.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from gpunet.sklearn import Classifier
        >>> x, y = load_iris(return_X_y=True)
        >>> model = make_pipeline(StandardScaler(), Classifier((16,), max_epochs=60, batch_size=16, random_state=0))
        >>> model.fit(x, y).score(x, y) > 0.95
        True
    """

    classes_: np.ndarray

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
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(hidden_layer_sizes, activation, module=module, optimizer=optimizer,
                         learning_rate=learning_rate, weight_decay=weight_decay, dropout=dropout,
                         max_epochs=max_epochs, batch_size=batch_size, early_stopping=early_stopping,
                         validation_fraction=validation_fraction, patience=patience, device=device, dtype=dtype,
                         random_state=random_state)
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Trains a new network.

        Args:
            X: features [N, F].
            y: the class of each example [N]: numbers or strings.
            sample_weight: how much each example counts in the loss [N]; None: all alike.

        Returns:
            The classifier itself.

        Raises:
            ValueError: a setting is none, or the data are not what they should be.
        """
        self._checked()
        x: Any
        x, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, targets = np.unique(y, return_inverse=True)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        if self.class_weight is not None:
            balance = compute_sample_weight(self.class_weight, y)
            weights = balance if weights is None else weights * balance
        loss = nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)
        self._train(x, targets.astype(np.int64), weights, len(self.classes_), loss, stratify=True)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class.

        Args:
            X: features [N, F].

        Returns:
            Probabilities [N, classes], in the order of `classes_`.
        """
        scores = self._outputs(X)
        exponentials = np.exp(scores - scores.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class.

        Args:
            X: features [N, F].

        Returns:
            Classes [N].
        """
        scores = self._outputs(X)
        return self.classes_[scores.argmax(1)]
