"""Logging for TensorBoard, through the package tensorboardX, which writes its files without TensorFlow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from gpunet.record import map_tensors

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports] (optional)

__all__ = ["SummaryWriter"]


def _with_arrays(method: Any) -> Any:
    """A method of tensorboardX, which knows no tensors of ours, with arrays in their place."""
    def with_arrays(self: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = map_tensors((args, kwargs), lambda tensor: tensor.detach().cpu().numpy())
        return method(self, *args, **kwargs)

    return with_arrays


@cache
def _writer() -> type:
    try:
        import tensorboardX  # pyright: ignore[reportMissingImports] (optional)
    except ImportError:
        raise ImportError("utils.tensorboard: SummaryWriter needs the package tensorboardX: pip install tensorboardX"
                          ) from None

    def add_graph(self: Any, model: Any, *args: Any, **kwargs: Any) -> None:
        """Not possible: gpunet does not trace models into graphs. print(model) shows its layers."""
        raise NotImplementedError("SummaryWriter.add_graph: gpunet does not trace models into graphs; leave the call "
                                  "out, print(model) shows the layers")

    methods = {name: _with_arrays(method) for name, method in vars(tensorboardX.SummaryWriter).items()
               if name.startswith("add_") and callable(method)}
    return type("SummaryWriter", (tensorboardX.SummaryWriter,), {**methods, "add_graph": add_graph})


def __getattr__(name: str) -> Any:
    if name == "SummaryWriter":
        return _writer()
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    """For dir() and completion: what is imported when it is asked for, too."""
    return sorted({*globals(), *__all__})
