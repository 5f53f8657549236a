"""torchvision's path of a class that segmentation and detection programs build their networks with."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from gpunet.nn import Module, ModuleDict

__all__ = ["IntermediateLayerGetter"]


class IntermediateLayerGetter(ModuleDict):
    """A model's children, up to the last one asked for; called, it gives what some of them give.

    The children are called one after the other in the order in which the model has them; what the model's `forward`
    does besides is left out. For layers inside children, use `feature_extraction.create_feature_extractor`.

    Args:
        model: the model.
        return_layers: by the name of a child, the name of its result.

    Raises:
        ValueError: the model has no child of such a name.

    Examples:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> from gpunet.models._utils import IntermediateLayerGetter
        >>> getter = IntermediateLayerGetter(net, {"1": "hidden"})
        >>> {name: y.shape for name, y in getter(gpunet.ones(4, 2)).items()}
        {'hidden': gpunet.Size([4, 3])}
    """

    def __init__(self, model: Module, return_layers: dict[str, str]) -> None:
        children = OrderedDict(model.named_children())
        if not set(return_layers) <= set(children):
            raise ValueError("return_layers are not present in model")
        last = max(list(children).index(name) for name in return_layers)
        super().__init__(OrderedDict(list(children.items())[: last + 1]))
        self.return_layers = {str(name): str(result) for name, result in return_layers.items()}

    def forward(self, x: Any) -> OrderedDict[str, Any]:
        results: OrderedDict[str, Any] = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                results[self.return_layers[name]] = x
        return results
