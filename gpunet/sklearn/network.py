"""What Classifier and Regressor share: the network, its training, its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

import gpunet
from gpunet import nn, optim
from gpunet.train import EarlyStopping, History, Trainer, train_test_split

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid, "gelu": nn.GELU, "identity": nn.Identity}
_OPTIMIZERS = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD, "rmsprop": optim.RMSprop}


class Network(BaseEstimator):
    """Base of the estimators."""

    model_: nn.Module
    history_: History

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
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.module = module
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.dtype = dtype
        self.random_state = random_state

    def _checked(self) -> None:
        """Raises ValueError for what is no setting."""
        name = type(self).__name__
        for what, value, known in (("activation", self.activation, _ACTIVATIONS),
                                   ("optimizer", self.optimizer, _OPTIMIZERS),
                                   ("dtype", self.dtype, ("float32", "float64"))):
            if value not in known:
                raise ValueError(f"{name}: {what} must be one of {', '.join(known)}, got {value!r}")
        if self.batch_size != "auto" and (not isinstance(self.batch_size, int) or self.batch_size < 1):
            raise ValueError(f"{name}: batch_size must be 'auto' or a whole number of at least 1, got "
                             f"{self.batch_size!r}")

    def _network(self, features: int, outputs: int) -> nn.Module:
        if self.module is not None:
            return self.module(features, outputs)
        hidden = self.hidden_layer_sizes
        layers: list[nn.Module] = []
        for size in (hidden,) if isinstance(hidden, int) else hidden:
            layers += [nn.Linear(features, size), _ACTIVATIONS[self.activation]()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            features = size
        return nn.Sequential(*layers, nn.Linear(features, outputs))

    def _train(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, outputs: int,
               loss: Callable[..., Any], stratify: bool) -> None:
        """Trains a new network. What it draws comes from `random_state`; gpunet's own generators are as before."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        dtype = getattr(gpunet, self.dtype)
        parts = [gpunet.tensor(x, dtype=dtype), gpunet.tensor(y, dtype=dtype if y.dtype.kind == "f" else gpunet.int64)]
        if weights is not None:
            if not weights.sum() > 0:
                raise ValueError(f"{type(self).__name__}: no example has a weight above 0")
            parts.append(gpunet.tensor(weights / weights.mean(), dtype=dtype))  # a weight of 2 is the example twice
        validation, callbacks = None, []
        if self.early_stopping:
            halves = train_test_split(*parts, test_size=self.validation_fraction, random_state=seed,
                                      stratify=y if stratify else None)
            parts, validation = halves[::2], tuple(halves[1::2])
            callbacks = [EarlyStopping(patience=self.patience)]
        with gpunet.random.fork_rng():
            gpunet.manual_seed(seed)
            model = self._network(x.shape[1], outputs).to(dtype)
            optimizer = _OPTIMIZERS[self.optimizer](model.parameters(), lr=self.learning_rate,
                                                    weight_decay=self.weight_decay)
            trainer = Trainer(model, loss, optimizer, device=self.device, callbacks=callbacks)
            batch = min(200, len(x)) if self.batch_size == "auto" else int(self.batch_size)
            trainer.fit(tuple(parts), validation, epochs=self.max_epochs, batch_size=batch)
        self.model_, self.history_ = model.cpu().eval(), trainer.history
        self.n_iter_ = len(trainer.history)

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        with gpunet.no_grad():
            parts = [self.model_(gpunet.tensor(x[start:start + 1024], dtype=getattr(gpunet, self.dtype))).numpy()
                     for start in range(0, len(x), 1024)]
        return np.concatenate(parts).astype(np.float64)
