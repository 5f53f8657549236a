"""What the kernel commands share: their file, its kernels, and the compiler's options."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import UserError

if TYPE_CHECKING:
    from gpunet.kernel.source import Source


class Sizes(click.ParamType):
    """`256`, `32,8` or `4,4,4`: one to three sizes, as a tuple. `most`: of all together."""

    name = "X[,Y[,Z]]"

    def __init__(self, most: int | None = None) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"\d+(,\d+){0,2}", value) or not math.prod(sizes := tuple(map(int, value.split(",")))):
            self.fail(f"{value!r} is not one to three positive sizes with commas between them, such as 256 or 32,8.")
        if self.most is not None and math.prod(sizes) > self.most:
            self.fail(f"{value!r} is {math.prod(sizes)} together, where at most {self.most} are allowed.")
        return sizes


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """The argument FILE.cu, and -D and -I as every compiler has them."""
    for option in reversed([
        click.argument("file", metavar="FILE.cu", type=click.Path(path_type=Path)),
        click.option("-D", "defines", multiple=True, metavar="NAME[=VALUE]", help="Define a macro."),
        click.option("-I", "includes", multiple=True, metavar="FOLDER", type=click.Path(exists=True, file_okay=False),
                     help="Look for included files here too."),
    ]):
        command = option(command)
    return command


def times(count: int) -> str:
    """How often something is given."""
    return "once" if count == 1 else f"{count} times"


def compiler_options(defines: tuple[str, ...], includes: tuple[str, ...]) -> tuple[str, ...]:
    return (*(f"-D{each}" for each in defines), *(f"-I{os.path.abspath(each)}" for each in includes))


def read_source(file: Path) -> Source:
    """The file with what it includes; a UserError says why it cannot be read."""
    from gpunet.kernel import source

    if file.is_dir():
        raise UserError(f"{file} is a folder: name a file with kernels.")
    try:
        return source.read(file.resolve())
    except FileNotFoundError:
        raise UserError(f"{file} does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from error


def choose_kernels(source: Source, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The kernels to work on, by name or name expression: those wanted, or all of the file that are no templates.

    A UserError tells what can be chosen.
    """
    from gpunet.kernel import signature

    here = signature.kernels(source.text)
    known = signature.kernels(source.full_text)
    file = source.path.name
    for expression in wanted:
        name, arguments = signature.split_expression(expression.partition("(")[0])  # fill(float*) is one of several
        if name not in known:
            if re.search(rf"\b{re.escape(name.rpartition('::')[2])}\b", source.full_text):
                continue  # a macro may declare it: the compiler knows
            raise UserError(f"{file} has no kernel {name!r}; it has {', '.join(known) or 'none'}.")
        if known[name] and not arguments:
            raise UserError(f"{name} is a template of {', '.join(known[name])}: name an instance of it, such as "
                            f"--kernel '{_example(name, known[name])}'.")
    if wanted:
        return wanted
    plain = tuple(name for name, template in here.items() if not template)
    if not plain and here:
        name, template = next(iter(here.items()))
        raise UserError(f"{file} has only templates ({', '.join(here)}): name an instance, such as "
                        f"--kernel '{_example(name, template)}'.")
    if not plain:
        raise UserError(f"{file} has no kernel: no function in it is declared __global__.")
    return plain


def choose_kernel(source: Source, wanted: str | None) -> str:
    """One kernel: the one wanted, or the only one that the file has."""
    found = choose_kernels(source, (wanted,) if wanted else ())
    from gpunet.kernel import signature

    if not wanted and len(signature.kernels(source.text)) > 1:
        raise UserError(f"{source.path.name} has several kernels ({', '.join(signature.kernels(source.text))}): choose "
                        "one with --kernel.")
    return found[0]


def templates(source: Source) -> list[str]:
    """The template kernels of the file."""
    from gpunet.kernel import signature

    return [name for name, parameters in signature.kernels(source.text).items() if parameters]


def _example(name: str, parameters: tuple[str, ...]) -> str:
    """A guess at an instance, to show the form: types are called T or the like, numbers are not."""
    arguments = ("float" if re.match(r"T|A$|.*(?i:type)", each) else "4" for each in parameters)
    return f"{name}<{','.join(arguments)}>"
