"""Models with Keras's names."""

from os import PathLike
from typing import Any

from gpunet.keras.models.model import Model, Sequential
from gpunet.keras.models.weights_file import refuse_keras_file

__all__ = ["Model", "Sequential", "load_model"]


def load_model(filepath: str | PathLike[str]) -> Any:
    """Refuses, since models are built by the program: build it, then call `load_weights`.

    Args:
        filepath: a file.

    Raises:
        ValueError: always.

    Examples:
        >>> keras.models.load_model("model.keras")
        Traceback (most recent call last):
            ...
        ValueError: model.keras: gpunet.keras does not read or write Keras's own files; ...
    """
    refuse_keras_file(filepath)
    raise ValueError(f"{filepath}: a file of weights does not say how to build the model; build it by the same code, "
                     "then call load_weights.")
