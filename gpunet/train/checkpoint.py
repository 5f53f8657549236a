"""Checkpoints: one safetensors file with all that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any

from gpunet import Generator, Tensor, nn
from gpunet.optim import Optimizer
from gpunet.serialization import load_file, save_file


def save_checkpoint(
    path: str | PathLike[str],
    model: nn.Module,
    optimizer: Optimizer,
    generators: Mapping[str, Generator],
    notes: dict[str, Any],
) -> None:
    """Write weights, optimizer state, generators and `notes` (anything JSON can say) to `path`, atomically.

    The tensors are named `model.*`, `optimizer.<parameter>.<name>` and `generator.<name>`; the rest is JSON in the
    file's metadata.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state = optimizer.state_dict()
    scalars: dict[str, dict[str, Any]] = {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{parameter}.{name}"] = value
            else:
                scalars.setdefault(str(parameter), {})[name] = value
    for name, generator in generators.items():
        tensors[f"generator.{name}"] = generator.get_state()
    extra = {"notes": notes, "optimizer": {"param_groups": state["param_groups"], "scalars": scalars}}
    save_file(tensors, path, {"checkpoint": json.dumps(extra)})


def checkpoint_notes(path: str | PathLike[str]) -> dict[str, Any]:
    """The `notes` that were saved with the checkpoint, without reading its tensors."""
    return _extra(path)["notes"]


def load_checkpoint(
    path: str | PathLike[str], model: nn.Module, optimizer: Optimizer, generators: Mapping[str, Generator]
) -> dict[str, Any]:
    """Put a checkpoint's state into `model`, `optimizer` and `generators`, and return its notes."""
    extra = _extra(path)
    weights: dict[str, Tensor] = {}
    state: dict[int, dict[str, Any]] = {
        int(parameter): dict(values) for parameter, values in extra["optimizer"]["scalars"].items()
    }
    for key, value in load_file(path).items():
        kind, name = key.split(".", 1)
        if kind == "model":
            weights[name] = value
        elif kind == "optimizer":
            parameter, name = name.split(".", 1)
            state.setdefault(int(parameter), {})[name] = value
        elif name in generators:
            generators[name].set_state(value)
    model.load_state_dict(weights)
    optimizer.load_state_dict({"state": state, "param_groups": extra["optimizer"]["param_groups"]})
    return extra["notes"]


def _extra(path: str | PathLike[str]) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return json.loads((file.metadata() or {})["checkpoint"])
