"""Checkpoints: one safetensors file from which a run continues as if it had never stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from gpunet import Generator, Tensor, devices, nn
from gpunet.optim import Optimizer
from gpunet.serialization.safetensors_file import read_file, save_file, tensors_of


def save_checkpoint(
    path: str | PathLike[str],
    model: nn.Module,
    optimizer: Optimizer,
    generators: Mapping[str, Generator],
    notes: dict[str, Any],
) -> None:
    """Writes weights, optimizer state, generators and notes to a file, atomically.

    The tensors are named `model.*`, `optimizer.<parameter>.<name>` and `generator.<name>`; the rest is JSON in the
    file's metadata.

    Args:
        path: the file; an existing one is replaced.
        model: the model.
        optimizer: the optimizer of its parameters.
        generators: random number generators by name.
        notes: anything that JSON can express, for the caller.

    Raises:
        OSError: the file cannot be written; an existing one is left as it is.

    Examples:
        >>> import tempfile
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.Adam(model.parameters())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/checkpoint.safetensors"
        ...     train.save_checkpoint(path, model, optimizer, {}, {"epoch": 3})
        ...     train.load_checkpoint(path, model, optimizer, {})
        {'epoch': 3}
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    state = optimizer.state_dict()
    scalars: dict[str, dict[str, Any]] = {}
    names: dict[str, list[str]] = {}
    for parameter, values in state["state"].items():
        names[str(parameter)] = sorted(values)
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{parameter}.{name}"] = value
            else:
                scalars.setdefault(str(parameter), {})[name] = value
    for name, generator in generators.items():
        tensors[f"generator.{name}"] = generator.get_state()
    kind = type(optimizer).__name__
    optimizer_part = {"kind": kind, "param_groups": state["param_groups"], "state": names, "scalars": scalars}
    extra = {"notes": notes, "optimizer": optimizer_part}
    save_file(tensors, path, {"checkpoint": json.dumps(extra, allow_nan=False)})


def load_checkpoint(
    path: str | PathLike[str], model: nn.Module, optimizer: Optimizer, generators: Mapping[str, Generator]
) -> dict[str, Any]:
    """Restores the state of a model, an optimizer and generators from a checkpoint. After an error nothing is changed.

    Args:
        path: a file that `save_checkpoint` wrote.
        model: the model to restore.
        optimizer: the optimizer to restore.
        generators: the generators to restore, by name.

    Returns:
        The notes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or incomplete, or belongs to another model or optimizer.

    Examples:
        >>> model = nn.Linear(2, 1)
        >>> train.load_checkpoint("no such file", model, optim.SGD(model.parameters()), {})
        Traceback (most recent call last):
            ...
        FileNotFoundError: load_file: there is no file no such file
    """
    return Checkpoint(path).restore(model, optimizer, generators)


class Checkpoint:
    """The content of a checkpoint's file, in the right form. `restore` checks whether it fits a model.

    Args:
        path: a file that `save_checkpoint` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        arrays, metadata = read_file(path, checked=True)
        self.path = path
        self.tensors = tensors_of(arrays, devices.get("cpu"))
        try:
            extra = json.loads(metadata["checkpoint"])
            part = extra["optimizer"]
            self.notes: dict[str, Any] = dict(extra["notes"])
            self.kind, self.groups = str(part["kind"]), [dict(group) for group in part["param_groups"]]
            self.names = {int(number): list(names) for number, names in part["state"].items()}
            scalars = {int(number): dict(values) for number, values in part["scalars"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is not a checkpoint: its metadata cannot be read ({error!r})") from None
        self.states: dict[int, dict[str, Any]] = {number: dict(scalars.get(number, {})) for number in self.names}
        for key, value in self.part("optimizer").items():
            number, _, name = key.partition(".")
            if number.isdecimal() and int(number) in self.states:
                self.states[int(number)][name] = value

    def restore(
        self, model: nn.Module, optimizer: Optimizer, generators: Mapping[str, Generator], stepped: bool = False
    ) -> dict[str, Any]:
        """As `load_checkpoint`. stepped: the optimizer had stepped, so it must have state of every parameter."""
        for problem in _problems(self, model, optimizer, generators, stepped):
            raise ValueError(f"{self.path} cannot be loaded: {problem}")
        try:  # first: it may refuse what only it can judge, such as the shapes of its state, and then changes nothing
            optimizer.load_state_dict({"state": self.states, "param_groups": self.groups})
        except ValueError as error:
            raise ValueError(f"{self.path} cannot be loaded: {error}") from None
        model.load_state_dict(self.part("model"))
        for name, generator in generators.items():
            generator.set_state(self.tensors[f"generator.{name}"])
        return self.notes

    def part(self, kind: str) -> dict[str, Tensor]:
        """The tensors `kind.*`, without the first word of their names."""
        start = f"{kind}."
        return {name.removeprefix(start): each for name, each in self.tensors.items() if name.startswith(start)}


def _problems(
    content: Checkpoint, model: nn.Module, optimizer: Optimizer, generators: Mapping[str, Generator], stepped: bool
) -> Iterator[str]:
    """The problems, as ends of a sentence. Each check relies on the ones before it to have found none."""
    weights, wanted = content.part("model"), model.state_dict()
    if unknown := [name for name in weights if name not in wanted]:
        yield f"the model has no {_listed(unknown)}"
    yield from _tensor_problems(weights, wanted, "weight")
    states = {name: each.get_state() for name, each in generators.items()}
    yield from _tensor_problems(content.part("generator"), states, "generator")
    kind = type(optimizer).__name__
    if content.kind != kind:
        yield f"it was saved with the optimizer {content.kind}, which cannot go on as {kind}"
    ours = optimizer.state_dict()["param_groups"]
    if [group.get("params") for group in content.groups] != [group["params"] for group in ours]:
        yield "its optimizer has other parameter groups"
    for theirs, own in zip(content.groups, ours, strict=True):
        yield from _option_problems(theirs, own)
    kept = {number: optimizer._kept({**own, **group}) for group, own in zip(content.groups, ours, strict=True)
            for number in group["params"]}
    for number, names in content.names.items():
        state = content.states[number]
        if number not in kept:
            yield f"it has optimizer state for parameter {number}, and there are {len(kept)} parameters"
        if sorted(state) != sorted(names):
            yield f"the optimizer's state of parameter {number} has {_listed(state)}, and should have {_listed(names)}"
        for name, value in state.items():
            if isinstance(value, Tensor) and not value.is_floating_point():
                yield f"the optimizer's {name} of parameter {number} is of type {value.dtype}"
    for number, wanted in kept.items():
        state = content.states.get(number, {})
        if wanted is not None and state.keys() != wanted and (state or stepped):
            yield (f"the optimizer's state of parameter {number} has {_listed(state)}, and {kind} keeps "
                   f"{_listed(wanted)} after its first step")


def _tensor_problems(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> Iterator[str]:
    if missing := [name for name in wanted if name not in given]:
        yield f"it lacks the {what} {_listed(missing)}"
    for name, own in wanted.items():
        theirs, ours = (f"{each.dtype} of shape {tuple(each.shape)}" for each in (given[name], own))
        if theirs != ours:
            yield f"the {what} {name} is {theirs}, and should be {ours}"


def _option_problems(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Options that a group lacks, and values that cannot be. Schedulers add options of their own."""
    for name, own in wanted.items():
        if name not in given:
            yield f"its optimizer lacks {name}"
        value = given[name]
        if _kind(value) != _kind(own):
            yield f"its optimizer's {name} is {value!r}"
        numbers, own_numbers = ([*each] if isinstance(each, list | tuple) else [each] for each in (value, own))
        for number, own_number in zip(numbers, own_numbers, strict=True):
            # What is not negative in this optimizer is a rate, a share or a size.
            if _kind(number) == "number" and (not math.isfinite(number) or number < 0 <= own_number):
                yield f"its optimizer's {name} is {value!r}"


def _kind(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return type(value)
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple):
        return [_kind(each) for each in value]
    return type(value)


def _listed(names: Any) -> str:
    names = sorted(map(str, names))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "nothing"
