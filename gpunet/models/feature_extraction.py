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
        return_nodes: for the name of each layer, such as "layer4.1", the name of its output in the result.

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
        unknown = [name for name in return_nodes if name not in layers or not name]
        if unknown:
            raise ValueError(f"create_feature_extractor: {type(model).__name__} has no layer {unknown[0]!r}; "
                             f"get_graph_node_names(model) lists them")
        self.model, self.return_nodes = model, dict(return_nodes)
        self._found: dict[str, Tensor] = {}
        for name, key in self.return_nodes.items():
            layers[name].register_forward_hook(self._keep(key))

    def _keep(self, key: str) -> Any:
        def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            self._found[key] = output

        return keep

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        self._found = {}
        self.model(*args, **kwargs)
        found, self._found = self._found, {}
        return {key: found[key] for key in self.return_nodes.values()}


def create_feature_extractor(model: nn.Module, return_nodes: Sequence[str] | Mapping[str, str]) -> FeatureExtractor:
    """A model that gives the outputs of layers inside another, by their names.

    Args:
        model: the model, which is used and not copied.
        return_nodes: names of layers, or a dict from these to the names in the result.

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
