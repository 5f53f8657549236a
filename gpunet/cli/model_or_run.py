"""What `gpunet summary` and `gpunet profile` are about: a run's folder, or a model by its name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gpunet.cli.common import UserError

if TYPE_CHECKING:
    from gpunet import Tensor


_TYPES = "u?int(?:8|16|32|64)|float(?:16|32|64)|bfloat16|bool"


class Form(NamedTuple):
    """The form of one input, without the batch. dtype: a name, or None for the default floating-point type."""

    shape: tuple[int, ...]
    dtype: str | None


class InputForm(click.ParamType):
    """`3,224,224`, or with a type `int64:128`."""

    name = "[DTYPE:]N,N,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        if isinstance(value, Form):
            return value
        found = re.fullmatch(rf"(?:({_TYPES}):)?([1-9]\d{{0,8}}(?:,[1-9]\d{{0,8}})*)", value)
        if found is None:
            self.fail(f"{value!r} is no shape of an input; write numbers such as 3,224,224, or with a type int64:128.",
                      param, ctx)
        return Form(tuple(map(int, found[2].split(","))), found[1])


input_option = click.option("--input", "inputs", type=InputForm(), multiple=True, metavar="[DTYPE:]N,N,...",
                            help="Shape of an input without the batch, such as 3,224,224 or int64:128; once for each.")


def named_model(name: str) -> Any:
    """A new model of this name; a UserError says which there are."""
    from gpunet import models

    known = models.list_models()
    if name.lower() in known:
        return models.get_model(name)
    near = get_close_matches(name.lower(), known, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the models are {', '.join(known)}."
    raise UserError(f"{name} is neither the folder of a run nor the name of a model; {hint}")


def is_run(target: str) -> bool:
    """Whether a run is meant: there is such a file or folder, or it is written as a path."""
    return "/" in target or Path(target).exists()


def zeros(inputs: tuple[Form, ...], batch: int, device: str) -> list[Tensor]:
    """Inputs of these forms."""
    import gpunet

    return [gpunet.zeros(batch, *form.shape, dtype=getattr(gpunet, form.dtype) if form.dtype else None, device=device)
            for form in inputs]


def shapes_in_words(tensors: list[Tensor]) -> str:
    """`[1, 3, 224, 224]`, or several of these."""
    return " and ".join(str(list(each.shape)) for each in tensors)
