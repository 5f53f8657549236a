"""The constructors of models by name, and their weights."""

from __future__ import annotations

import fnmatch
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import gpunet
from gpunet import nn

__all__ = ["get_model", "get_model_builder", "list_models"]

_Builder = TypeVar("_Builder", bound=Callable[..., nn.Module])
_BUILDERS: dict[str, Callable[..., nn.Module]] = {}

# What the docstring of every constructor says after its own sentence.
_SHARED = """

Args:
    weights: what to load: the path of a file of weights (PyTorch's `.pth` or safetensors), a state_dict, a member of
        {name}'s weights such as "DEFAULT", whose file must be in the hub's folder (nothing is downloaded), or None for
        new random weights.
    progress: accepted as in torchvision; nothing is downloaded, so there is no progress to show.
    options: of the class {result}, such as `num_classes`.

Returns:
    The model, in training mode, on the current device.

Examples:
    >>> models.get_model_builder("{name}") is models.{name}
    True
"""


def register(builder: _Builder) -> _Builder:
    """Lists a constructor under its name, and completes its docstring by what all constructors share."""
    name = builder.__name__
    _BUILDERS[name] = builder
    result = inspect.signature(builder).return_annotation
    builder.__doc__ = inspect.cleandoc(builder.__doc__ or "") + _SHARED.format(name=name, result=result)
    return builder


def list_models(include: str | Iterable[str] | None = None, exclude: str | Iterable[str] | None = None) -> list[str]:
    """The names of the models, sorted.

    Args:
        include: pattern or patterns such as "resnet*"; names that match one of them are listed. None: all.
        exclude: pattern or patterns; names that match one of them are left out.

    Examples:
        >>> models.list_models("wide_*")
        ['wide_resnet101_2', 'wide_resnet50_2']
    """
    def matching(patterns: str | Iterable[str] | None) -> set[str]:
        patterns = [patterns] if isinstance(patterns, str) else patterns or ()
        return {name for pattern in patterns for name in fnmatch.filter(_BUILDERS, pattern)}

    return sorted((set(_BUILDERS) if include is None else matching(include)) - matching(exclude))


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The function that makes a model.

    Args:
        name: one of `list_models()`, in any case.

    Raises:
        ValueError: there is no such model; the message names the nearest.

    Examples:
        >>> models.get_model_builder("resnet18").__name__
        'resnet18'
    """
    import difflib

    names = list_models()
    if name.lower() not in names:
        near = difflib.get_close_matches(name.lower(), names, 3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ValueError(f"models: there is no model {name!r}; {hint}models.list_models() lists them all.")
    return _BUILDERS[name.lower()]


def get_model(name: str, **config: Any) -> nn.Module:
    """Makes a model by its name.

    Args:
        name: one of `list_models()`, in any case.
        config: arguments of its constructor, such as `weights` and `num_classes`.

    Raises:
        ValueError: there is no such model.

    Examples:
        >>> models.get_model("lenet5", num_classes=4)(gpunet.zeros(1, 1, 28, 28)).shape
        gpunet.Size([1, 4])
    """
    return get_model_builder(name)(**config)


def checked(name: str, weights: Any, options: dict[str, Any]) -> Any:
    """The weights, as an enumeration's member where they are one's name. Raises TypeError for another model's."""
    from gpunet.models.weights import Weights, weights_of

    if options.pop("pretrained", False):
        raise TypeError(f"{name}: pretrained=True is no longer taken, and nothing is downloaded; give the file as "
                        f"weights='FILE.pth', or weights='DEFAULT' for one in the hub's folder")
    known = weights_of(name)
    if isinstance(weights, str) and known is not None:
        weights = {"DEFAULT": known.DEFAULT, **known.__members__}.get(weights, weights)
    if isinstance(weights, Weights) and not (known is not None and isinstance(weights, known)):
        raise TypeError(f"{name}: these are the weights of another model, {weights}; give one of {known}")
    return weights


def build(cls: Callable[..., nn.Module], name: str, weights: Any, options: dict[str, Any], *args: Any,
          **settings: Any) -> Any:
    """A model of a class with its weights loaded. Settings are the variant's; options, which the user gave, win."""
    weights = checked(name, weights, options)
    model = cls(*args, **{**settings, **options})
    if weights is not None:
        load_weights(model, name, weights)
    return model


def load_weights(model: nn.Module, name: str, weights: Any) -> None:
    """Loads weights of any of the kinds that constructors take."""
    from gpunet.models.weights import Weights

    if isinstance(weights, Weights):
        state = weights.get_state_dict(check_hash=True)
    elif isinstance(weights, Mapping):
        state = weights
    elif isinstance(weights, (str, os.PathLike)):
        path = Path(weights)
        if not path.is_file():
            raise FileNotFoundError(f"{name}: there is no file of weights {str(path)!r}; give the path of a .pth or "
                                    f".safetensors file")
        state = gpunet.load_file(path) if path.suffix == ".safetensors" else gpunet.load(path, map_location="cpu")
    else:
        raise TypeError(f"{name}: weights must be a path, a state_dict, one of the model's weights or None, got "
                        f"{type(weights).__name__}")
    model.load_state_dict(model.renamed(state) if hasattr(model, "renamed") else state)
