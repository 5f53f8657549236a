"""`gpunet kernel new`."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

import click

from gpunet.cli.common import UserError

_TEMPLATE = Path(__file__).with_name("template")
_PLACEHOLDER = "my_kernel"  # in the template's texts and file names; so the template itself is code that works

_ABOUT = {
    "my_kernel.cu": "the kernel",
    "my_kernel.py": "the op: what it computes, how it is launched, its gradient",
    "test_my_kernel.py": "tests: against NumPy, the gradient, and under the checker",
    "bench_my_kernel.py": "a benchmark",
}

_CPP_KEYWORDS = frozenset(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const
    const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false
    float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
    while xor xor_eq""".split()
)


@click.command(short_help="Make a kernel of your own, with its op, tests and benchmark.")
@click.argument("name")
@click.option("--dir", "parent", type=click.Path(path_type=Path, file_okay=False), default=Path(),
              show_default="here", help="Where to make the folder.")
def new(name: str, parent: Path) -> None:
    """Make a folder NAME with a CUDA kernel of your own: the kernel, an op around it with its gradient, tests and a
    benchmark, which all pass as they are."""
    _check_name(name)
    folder = parent / name
    texts = {folder / path.replace(_PLACEHOLDER, name): (_TEMPLATE / path).read_text("utf-8") for path in _ABOUT}
    if there := [str(path) for path in texts if path.exists()]:
        raise UserError(f"{', '.join(there)} exist{'s' * (len(there) == 1)} already; nothing has been written.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace(_PLACEHOLDER, name))
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    for path, about in _ABOUT.items():
        path = path.replace(_PLACEHOLDER, name)
        click.echo(f"{folder / path!s:{len(str(folder)) + len(name) + 10}}  {about}")
    click.echo(f"""
Try it:
  cd {folder}
  pytest
  gpunet kernel check {name}.cu --kernel '{name}<float>' --grid 4 --block 256 \\
      --arg 'f32[1000]' --arg 'f32[1000]=normal' --arg i64=1000
  gpunet kernel compile {name}.cu --kernel '{name}<float>'
  gpunet kernel bench {name}        # on a machine with a GPU""")


def _check_name(name: str) -> None:
    """The name is one of a Python module and of a C++ function, and hides no other."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or "__" in name:
        raise UserError(f"{name!r} cannot be a name in Python and C++: it takes letters, digits and single _, and "
                        "begins with a letter.")
    if keyword.iskeyword(name) or name in _CPP_KEYWORDS:
        raise UserError(f"{name!r} is a word of {'Python' if keyword.iskeyword(name) else 'C++'}: take another name.")
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:  # without an origin it is a mere folder
        raise UserError(f"{name!r} is a Python module already, which {name}.py would hide: take another name.")
