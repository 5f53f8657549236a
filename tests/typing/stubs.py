"""Writes gpunet/tensor.pyi, from which editors and type checkers know Tensor's methods: most are made from tables.

    python -m tests.typing.stubs

Each signature is that of the method itself, each docstring its first paragraph. Names in annotations come from where
the method's module imports them; those that Tensor has members of (`int`, `dtype`) get an underscore.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
import math
import textwrap
import typing
from pathlib import Path

import gpunet

STUB = Path(gpunet.__file__).with_name("tensor.pyi")
HEADER = "# Written by `python -m tests.typing.stubs` from the methods themselves. Do not edit.\n"
HEADER += "# Without their `out`, some forms are alike.\n# pyright: reportOverlappingOverload=false\n\n"

# Of ops, whose signatures do not say what they take.
OPERATORS = {f"__{prefix}{name}__" for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul",
             "and", "or", "xor", "lshift", "rshift") for prefix in ("", "r", "i")} | {
             f"__{name}__" for name in ("lt", "le", "gt", "ge", "eq", "ne")}
WRITTEN = {
    "__pos__": "(self) -> Tensor", "__neg__": "(self) -> Tensor", "__abs__": "(self) -> Tensor",
    "__invert__": "(self) -> Tensor", "__getitem__": "(self, index: Any, /) -> Tensor",
    "__setitem__": "(self, index: Any, value: Any, /) -> None",
    "__new__": "(cls, data: Any = ..., *sizes: Any, device: Any = None) -> Any",
}
# Members that are not functions; the types of the private ones are known inside the package only.
ATTRIBUTES = {"grad": "Tensor | None", "retains_grad": "bool", "is_unit": "bool", "_array": "Any", "_device": "Any",
              "_version": "Any", "_requires_grad": "bool", "_node": "Any", "_view": "Any", "_hooks": "Any",
              "_post_hooks": "Any", "_propagates": "bool"}
SKIPPED = {"__module__", "__doc__", "__slots__", "__hash__", "__dict__", "__weakref__", "__array_priority__",
           "__array_ufunc__", "__annotations__", "__static_attributes__", "__firstlineno__", "__getattr__",
           "__annotate_func__", "__annotate__", "__annotations_cache__", "__init_subclass__", "_make_subclass"}


class Stub:
    """The text of the stub, and the imports that its annotations have needed so far."""

    def __init__(self, cls: type) -> None:
        self.members = vars(cls)
        self.imports: set[str] = set()
        self.body = [f"class {cls.__name__}:", _docstring(cls, whole=True)]
        self.body += [f"    {name}: {self.annotation(text, __name__)}" for name, text in ATTRIBUTES.items()]
        for name, member in self.members.items():
            if name not in SKIPPED and name not in ATTRIBUTES:
                self.body += self.property(name, member) if isinstance(member, property) else self.method(name, member)

    def text(self) -> str:
        return HEADER + "\n".join(sorted(self.imports)) + "\n\n" + "\n".join(line for line in self.body if line) + "\n"

    # ---- members

    def property(self, name: str, member: property) -> list[str]:
        result = self.result(member.fget)
        lines = ["    @property", f"    def {name}(self) -> {result}:", _docstring(member) or "        ..."]
        if member.fset is not None:
            lines += [f"    @{name}.setter", f"    def {name}(self, value: {result}) -> None: ..."]
        return lines

    def method(self, name: str, member) -> list[str]:
        if name in OPERATORS:
            ignored = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
            return [f"    def {name}(self, other: {self.annotation('Any', __name__)}, /) -> Tensor: ...{ignored}"]
        if name in WRITTEN:
            return [f"    def {name}{WRITTEN[name]}: ..."]
        if inspect.isclass(member) or not callable(member):
            raise TypeError(f"Tensor.{name} is neither a method nor in ATTRIBUTES or SKIPPED")
        function = inspect.unwrap(member)
        forms = typing.get_overloads(function) or [function]
        lines = []
        for form in forms:
            lines += ["    @overload"] * (len(forms) > 1)
            if len(forms) > 1:
                self.imports.add("from typing import overload")
            # Editors show the docstring of the first form.
            text = _docstring(member) if form is forms[0] and not name.startswith("_") else ""
            lines += [f"    def {name}{self.signature(form)}:{'' if text else ' ...'}", text]
        return lines

    def signature(self, function) -> str:
        given, before = [], None
        parameters = list(inspect.signature(function).parameters.values())
        for index, p in enumerate(p for p in parameters if p.name != "out"):  # PyTorch's methods have no out
            if index == 0:
                given.append("self")
            else:
                if p.kind is p.KEYWORD_ONLY and before not in (p.KEYWORD_ONLY, p.VAR_POSITIONAL):
                    given.append("*")
                if before is p.POSITIONAL_ONLY and p.kind is not p.POSITIONAL_ONLY:
                    given.append("/")
                stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
                annotation = "Any" if p.annotation is p.empty else p.annotation
                default = "" if p.default is p.empty else f" = {_shown(p.default)}"
                given.append(f"{stars}{p.name}: {self.annotation(annotation, function.__module__)}{default}")
            before = p.kind
        return f"({', '.join(given)}) -> {self.result(function)}"

    def result(self, function) -> str:
        return self.annotation(function.__annotations__.get("return", "Any"), function.__module__)

    # ---- annotations

    def annotation(self, annotation, module: str) -> str:
        """An annotation with the names that the stub has for what its names mean in a module."""
        if not isinstance(annotation, str):
            annotation = annotation.__name__ if isinstance(annotation, type) else repr(annotation)
        tree = ast.parse(annotation, mode="eval")
        return ast.unparse(_Renamed(self, module).visit(tree))

    def name(self, name: str, module: str) -> str:
        if name == "Tensor":
            return name
        if name == "Any":
            self.imports.add("from typing import Any")
            return name
        alias = f"_{name}" if name in self.members else name
        origin = origins(module).get(name)
        if origin is None and not hasattr(builtins, name):
            raise NameError(f"{module} annotates with {name!r}, which it neither imports nor defines")
        if origin is None:
            if alias != name:
                self.imports.add(f"from builtins import {name} as {alias}")
        else:
            self.imports.add(origin if origin.endswith(f" {alias}") else f"{origin} as {alias}")
        return alias


class _Renamed(ast.NodeTransformer):
    def __init__(self, stub: Stub, module: str) -> None:
        self.stub, self.module = stub, module

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.stub.name(node.id, self.module))


@functools.cache
def origins(module: str) -> dict[str, str]:
    """Name -> the statement, without `as`, that imports what a module knows by it: what it imports itself, also for
    types only, or defines at its top."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"from {node.module} import {alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: f"import {alias.name}" for alias in node.names}
    for node in [each for top in tree.body for each in (top.body if isinstance(top, ast.If) else [top])]:
        targets = [node] if isinstance(node, ast.ClassDef) else getattr(node, "targets", ())
        found |= {name: f"from {module} import {name}" for target in targets
                  if (name := getattr(target, "name", None) or getattr(target, "id", None))}
    return found


def _shown(default) -> str:
    """A default as it is written; `...` for what has no short spelling."""
    is_plain = default is None or isinstance(default, (bool, int, str)) or default == () or (
        isinstance(default, float) and math.isfinite(default))
    return repr(default) if is_plain else "..."


def _docstring(member, whole: bool = False) -> str:
    text = inspect.getdoc(member) or ""
    text = text if whole else text.partition("\n\n")[0]
    if not text:
        return ""
    indent = "    " if inspect.isclass(member) else "        "
    quoted = f'"""{text}"""' if "\n" not in text else f'"""{text}\n"""'
    prefix = "r" if "\\" in text else ""
    return textwrap.indent(prefix + quoted, indent)


def written() -> str:
    return Stub(gpunet.Tensor).text()


if __name__ == "__main__":
    STUB.write_text(written())
