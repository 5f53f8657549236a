"""Checkpoints: one safetensors file, with JSON in it, from which training goes on as if it had never stopped.

The file is what `gpunet.save` writes: tensors under names such as `model.0.weight`, the rest as JSON in the metadata,
a SHA-256 digest of both; written beside the old file, flushed to the disk, and renamed. A checkpoint is checked against
the trainer, part by part, before anything is changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import gpunet
from gpunet import Tensor
from gpunet.train.history import History
from gpunet.train.position import named

if TYPE_CHECKING:
    from gpunet.train.trainer import Trainer

_VERSION = 1
_PARTS = {"version": int, "model": dict, "optimizer": dict, "scheduler": (dict, type(None)), "scaler": dict,
          "ema": (dict, type(None)), "position": dict, "progress": dict, "gradients": dict, "steps": int,
          "history": list, "callbacks": dict, "notes": dict}


def state_of(trainer: Trainer, notes: Mapping[str, Any]) -> dict[str, Any]:
    """All that a trainer needs to go on."""
    optimizer, scheduler = trainer.optimizer, trainer.scheduler
    callbacks = {name: state for name, each in named(trainer.running or trainer.callbacks).items()
                 if (state := each.state_dict())}
    pending = trainer.progress.batches % trainer.accumulate if trainer.position.batches else 0
    return {
        "version": _VERSION,
        "model": trainer.model.state_dict(),
        "optimizer": {} if optimizer is None else {"kind": type(optimizer).__name__, **optimizer.state_dict()},
        "scheduler": None if scheduler is None else {"kind": type(scheduler).__name__, "state": scheduler.state_dict()},
        "scaler": trainer.scaler.state_dict(),
        "ema": None if trainer.ema is None else trainer.ema.state_dict(),
        "position": trainer.position.state_dict(),
        "progress": trainer.progress.state_dict() if trainer.position.batches else {},
        "gradients": {name: each.grad for name, each in trainer.model.named_parameters()
                      if each.grad is not None} if pending else {},
        "steps": trainer.steps,
        "history": [dict(row) for row in trainer.history],
        "callbacks": {**trainer.position.callbacks, **callbacks},
        "notes": dict(notes),
    }


class Checkpoint:
    """The content of a checkpoint's file, in the right form. `restore` checks whether it fits a trainer.

    Args:
        path: a file that `Trainer.save` wrote.

    Attributes:
        path: the file.
        notes: what was given to `Trainer.save`.
        state: the parts of the checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or no checkpoint.

    Examples:
        >>> import tempfile
        >>> model = nn.Linear(2, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters()))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer.save(f"{folder}/c.safetensors", {"data": "numbers"})
        ...     checkpoint = train.Checkpoint(f"{folder}/c.safetensors")
        >>> checkpoint.notes, len(checkpoint.state["history"])
        ({'data': 'numbers'}, 0)
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        self.state: dict[str, Any] = gpunet.load(path, map_location="cpu")
        for problem in _form(self.state):
            raise ValueError(f"{path} is not a checkpoint: {problem}")
        self.notes: dict[str, Any] = self.state["notes"]

    def restore(self, trainer: Trainer) -> dict[str, Any]:
        """Makes the trainer go on from here. After an error nothing is changed.

        Args:
            trainer: a trainer with the same options as the one that was saved.

        Returns:
            The notes.

        Raises:
            ValueError: the checkpoint belongs to another model or to a trainer with other options.
        """
        restore(self.state, trainer, str(self.path))
        return self.notes


def restore(state: dict[str, Any], trainer: Trainer, name: str) -> None:
    """Makes a trainer go on from what `state_of` gave. Raises ValueError, and changes nothing, if it does not fit.

    name: how errors call the state.
    """
    optimizer = trainer.optimizer
    for problem in _problems(state, trainer):
        raise ValueError(f"{name} cannot be loaded: {problem}")
    if optimizer is not None and state["optimizer"]:
        try:  # first: it may refuse what only it can judge, such as its state's shapes, and then changes nothing
            optimizer.load_state_dict({name: state["optimizer"][name] for name in ("state", "param_groups")})
        except ValueError as error:
            raise ValueError(f"{name} cannot be loaded: {error}") from None
        optimizer._stepped = state["steps"] > 0
    trainer.model.load_state_dict(state["model"])
    if trainer.scheduler is not None:
        trainer.scheduler.load_state_dict(state["scheduler"]["state"])
    if trainer.scaler.is_enabled():
        trainer.scaler.load_state_dict(state["scaler"])
    if trainer.ema is not None:
        trainer.ema.load_state_dict(state["ema"])
    for name, each in trainer.model.named_parameters():
        gradient = state["gradients"].get(name)
        each.grad = None if gradient is None else gradient.to(each.device)
    trainer.steps, trainer.history = state["steps"], History(state["history"])
    if state["progress"]:
        trainer.progress.load_state_dict(state["progress"])
    trainer.position.load_state_dict(state["position"], state["callbacks"])
    trainer.record_anew()


def _form(state: Any) -> Iterator[str]:
    """What is wrong with a file that should be a checkpoint, as the end of a sentence."""
    if not isinstance(state, dict) or "version" not in state:
        yield "it was not written by Trainer.save"
    if state["version"] != _VERSION:
        yield f"it was written by another gpunet, in version {state['version']!r} of the format"
    for name, kinds in _PARTS.items():
        if not isinstance(state.get(name), kinds):
            yield f"its part {name!r} is missing or of another kind"
    for number, row in enumerate(state["history"], 1):
        if not isinstance(row, dict) or row.get("epoch") != number:
            yield f"its history has no epoch {number}"
    if missing := {"batches", "generators", "at_start"} - state["position"].keys():
        yield f"its part 'position' lacks {_listed(missing)}"
    part = state["optimizer"]
    if part and not (isinstance(part.get("kind"), str) and isinstance(part.get("state"), dict)
                     and isinstance(part.get("param_groups"), list)):
        yield "its part 'optimizer' is missing or of another kind"


def _problems(state: dict[str, Any], trainer: Trainer) -> Iterator[str]:
    """Why the checkpoint does not fit, as ends of a sentence. Each check relies on the ones before it."""
    weights, wanted = state["model"], trainer.model.state_dict()
    if unknown := [name for name in weights if name not in wanted]:
        yield f"the model has no {_listed(unknown)}"
    yield from _tensor_problems(weights, wanted, "weight")
    for what, own in (("scheduler", trainer.scheduler), ("ema", trainer.ema)):
        if (own is None) != (state[what] is None):
            yield f"it was saved with{'out' if own is not None else ''} {what}, and the trainer has {_some(own)}"
    if trainer.scheduler is not None and state["scheduler"]["kind"] != type(trainer.scheduler).__name__:
        yield (f"it was saved with the schedule {state['scheduler']['kind']}, which cannot go on as "
               f"{type(trainer.scheduler).__name__}")
    if trainer.optimizer is not None:
        yield from _optimizer_problems(state["optimizer"], trainer.optimizer, state["steps"] > 0)
    if trainer.ema is not None:
        yield from _tensor_problems(state["ema"]["averages"], trainer.ema.averages, "average of")
    if bool(state["scaler"]) != trainer.scaler.is_enabled():
        yield (f"it was saved {'with' if state['scaler'] else 'without'} a gradient scaler, and the trainer's "
               f"precision is {trainer.precision}")
    if state["progress"]:
        own = [each.name for each in trainer.metrics]
        if list(state["progress"]["metrics"]) != own:
            yield (f"it is in the middle of an epoch with the metrics {_listed(state['progress']['metrics'])}, and the "
                   f"trainer has {_listed(own)}")
    for name, gradient in state["gradients"].items():
        if name not in wanted or gradient.shape != wanted[name].shape:
            yield f"it has a gradient of {name}, which the model does not have in this shape"
    for name, each in state["position"]["generators"]["gpunet"].items():
        if not isinstance(each, Tensor) or each.dtype is not gpunet.uint64 or tuple(each.shape) != (2,):
            yield f"the generator {name} is not uint64 of shape (2,)"


def _optimizer_problems(part: dict[str, Any], optimizer: Any, stepped: bool) -> Iterator[str]:
    if not part:
        yield "it was saved without an optimizer"
    kind = type(optimizer).__name__
    if part["kind"] != kind:
        yield f"it was saved with the optimizer {part['kind']}, which cannot go on as {kind}"
    ours, theirs = optimizer.state_dict()["param_groups"], part["param_groups"]
    if [group.get("params") for group in theirs] != [group["params"] for group in ours]:
        yield "its optimizer has other parameter groups"
    for group, own in zip(theirs, ours, strict=True):
        yield from _option_problems(group, own)
    kept = {number: optimizer._kept({**own, **group}) for group, own in zip(theirs, ours, strict=True)
            for number in group["params"]}
    if stepped and not part["state"] and any(kept.values()):
        yield f"it has no state of its optimizer, and {kind} keeps some after its first step"
    for number, state in part["state"].items():
        if number not in kept:
            yield f"it has optimizer state for parameter {number}, and there are {len(kept)} parameters"
        for name, value in state.items():
            if isinstance(value, Tensor) and not value.is_floating_point():
                yield f"the optimizer's {name} of parameter {number} is of type {value.dtype}"
        if kept[number] is not None and state.keys() != kept[number]:
            yield (f"the optimizer's state of parameter {number} has {_listed(state)}, and {kind} keeps "
                   f"{_listed(kept[number])} after its first step")


def _tensor_problems(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> Iterator[str]:
    if missing := [name for name in wanted if name not in given]:
        yield f"it lacks the {what} {_listed(missing)}"
    for name, own in wanted.items():
        if not isinstance(own, Tensor):  # what a module's get_extra_state gives
            continue
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


def _some(part: Any) -> str:
    return "none" if part is None else "one"


def _listed(names: Any) -> str:
    names = sorted(map(str, names))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "nothing"
