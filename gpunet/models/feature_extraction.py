"""The outputs of layers inside a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpunet import nn
from gpunet.tensor import Tensor

__all__ = ["FeatureExtractor", "create_feature_extractor", "get_graph_node_names"]


class FeatureExtractor(nn.Module):
    """A model that gives the outputs of some of its layers in place of its own.

    Args:
        model: the model, which is used and not copied.
        return_nodes: for the name of each layer, such as "layer4.1", the name of its output in the result. Where a
            layer is called several times, its name means the first call, "layer4.1.relu_1" the second.

    Raises:
        ValueError: the model has no layer of that name.

    Examples:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> extractor = models.feature_extraction.FeatureExtractor(model, {"1": "hidden"})
        >>> extractor(gpunet.zeros(4, 2))["hidden"].shape
        gpunet.Size([4, 3])
    """

    def __init__(self, model: nn.Module, return_nodes: Mapping[str, str]) -> None:
        super().__init__()
        layers = dict(model.named_modules())
        self.model, self.return_nodes = model, dict(return_nodes)
        self._calls: dict[str, int] | None = None  # of each layer, while the model runs
        self._found: dict[str, Tensor] = {}
        wanted: dict[str, dict[int, str]] = {}
        for name, key in self.return_nodes.items():
            layer, call = _place(name, layers)
            if layer is None:
                raise ValueError(f"create_feature_extractor: {type(model).__name__} has no layer {name!r}; "
                                 f"get_graph_node_names(model) lists them")
            wanted.setdefault(layer, {})[call] = key
        for layer, keys in wanted.items():
            layers[layer].register_forward_hook(self._keep(layer, keys))

    def _keep(self, layer: str, keys: dict[int, str]) -> Any:
        def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if self._calls is not None:
                call = self._calls[layer] = self._calls.get(layer, -1) + 1
                if call in keys:
                    self._found[keys[call]] = output

        return keep

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        self._calls = {}
        try:
            self.model(*args, **kwargs)
            found = self._found
        finally:
            self._calls, self._found = None, {}
        for name, key in self.return_nodes.items():
            if key not in found:
                raise RuntimeError(f"create_feature_extractor: the model did not call {name!r}")
        return {key: found[key] for key in self.return_nodes.values()}


def _place(name: str, layers: Mapping[str, nn.Module]) -> tuple[str | None, int]:
    """The layer of a name, and which of its calls is meant: "relu_1" is the second one of "relu"."""
    if name in layers and name:
        return name, 0
    layer, _, call = name.rpartition("_")
    return (layer, int(call)) if layer in layers and layer and call.isdigit() else (None, 0)


def create_feature_extractor(model: nn.Module, return_nodes: Sequence[str] | Mapping[str, str]) -> FeatureExtractor:
    """A model that gives the outputs of layers inside another, by their names.

    Unlike torchvision's, it does not know the functions that `forward` calls, such as "flatten" or "add".

    Args:
        model: the model, which is used and not copied.
        return_nodes: names of layers, or a dict from these to the names in the result. Where a layer is called several
            times, its name means the first call, with "_1" behind it the second.

    Returns:
        A module whose output is a dict of tensors.

    Raises:
        ValueError: the model has no layer of that name.

    Examples:
        >>> from gpunet.models.feature_extraction import create_feature_extractor
        >>> extractor = create_feature_extractor(models.resnet18(), {"layer2": "middle", "avgpool": "mean"})
        >>> {name: tuple(x.shape) for name, x in extractor(gpunet.zeros(2, 3, 32, 32)).items()}
        {'middle': (2, 128, 4, 4), 'mean': (2, 512, 1, 1)}
    """
    names = return_nodes if isinstance(return_nodes, Mapping) else {name: name for name in return_nodes}
    return FeatureExtractor(model, names)


def get_graph_node_names(model: nn.Module) -> tuple[list[str], list[str]]:
    """The names of the layers whose outputs `create_feature_extractor` can give.

    Args:
        model: the model.

    Returns:
        The same list twice: for training and for evaluation, as torchvision has it.

    Examples:
        >>> models.feature_extraction.get_graph_node_names(nn.Sequential(nn.ReLU(), nn.Tanh()))[0]
        ['0', '1']
    """
    names = [name for name, _ in model.named_modules() if name]
    return names, list(names)
