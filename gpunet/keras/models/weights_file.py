"""Files of a model's weights."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any

import gpunet

_FORMAT = "gpunet.keras weights 1"


def refuse_keras_file(path: str | PathLike[str]) -> None:
    """Raises ValueError for files that only Keras reads and writes."""
    name = fspath(path)
    if name.endswith((".keras", ".h5", ".hdf5", ".tf")):
        raise ValueError(f"{name}: gpunet.keras does not read or write Keras's own files; build the model by the same "
                         "code and keep its weights by save_weights('model.weights'), or carry them over from Keras by "
                         "set_weights(keras_model.get_weights()).")


def write(model: Any, path: str | PathLike[str]) -> None:
    """Writes the weights in their order. Raises ValueError, OSError."""
    refuse_keras_file(path)
    weights = [each.detach().cpu().clone() for each in model.weights]
    gpunet.save({"format": _FORMAT, "weights": weights}, path)


def read(model: Any, path: str | PathLike[str]) -> None:
    """Reads the weights. Raises FileNotFoundError, ValueError."""
    refuse_keras_file(path)
    if not Path(path).exists():
        raise FileNotFoundError(f"{fspath(path)} does not exist; save_weights writes such a file.")
    try:
        found = gpunet.load(path)
        fits = isinstance(found, dict) and found.get("format") == _FORMAT
    except (ValueError, RuntimeError, TypeError, KeyError, EOFError) as error:
        raise ValueError(f"{fspath(path)} cannot be read as weights: {str(error).rstrip('.')}.") from error
    if not fits:
        raise ValueError(f"{fspath(path)} was not written by save_weights of a keras model.")
    try:
        model.set_weights([each.numpy() for each in found["weights"]])
    except ValueError as error:
        raise ValueError(f"{fspath(path)} belongs to another model: {error}") from None
