"""Functions for what is not here: calling them says so."""

from __future__ import annotations

from typing import Any, NoReturn


def refuses(name: str, sentence: str) -> Any:
    """A function that raises NotImplementedError with a sentence, whatever it is called with."""
    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"{name}: {sentence}")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"Raises NotImplementedError: {sentence}."
    return function


def as_it_is(model: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Returns its first argument; without one, or with one that is no function, a decorator that changes nothing."""
    return model if callable(model) else as_it_is
