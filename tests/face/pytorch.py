"""PyTorch's signatures: of Python functions by `inspect`, of native ones by their schemas."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    name: str
    default: object = MISSING
    by_name: bool = False  # it can only be given by name
    many: bool = False  # it takes any number of arguments, by place
    kind: str = ""  # the type in a native schema


# Native functions without a schema that says what Python may give, by their documentation.
WRITTEN = {
    "tensor": [Parameter("data"), Parameter("dtype", None, True), Parameter("device", None, True),
               Parameter("requires_grad", False, True), Parameter("pin_memory", False, True)],
    "as_tensor": [Parameter("data"), Parameter("dtype", None), Parameter("device", None)],
    "asarray": [Parameter("obj"), Parameter("dtype", None, True), Parameter("device", None, True),
                Parameter("copy", None, True), Parameter("requires_grad", False, True)],
    "from_numpy": [Parameter("ndarray")],
}


def forms(torch, function, is_method: bool) -> list[list[Parameter]]:
    """The lists of parameters with which a function of PyTorch may be called, without `out`."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        if function.__name__ in WRITTEN:
            return [WRITTEN[function.__name__]]
        return _native(torch, function.__name__, is_method)
    if all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.parameters.values()):
        # It chooses among functions by the values of its arguments; the method, if there is one, is one function.
        if not is_method and hasattr(torch.Tensor, function.__name__):
            return forms(torch, getattr(torch.Tensor, function.__name__), True)
        return _native(torch, function.__name__, is_method)
    return [[Parameter("input" if is_method and p.name == "self" else p.name, p.default, p.kind is p.KEYWORD_ONLY,
                       p.kind is p.VAR_POSITIONAL)
             for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and p.name != "out"]]


def _default(argument):
    if not argument.has_default_value():
        return MISSING
    value = argument.default_value
    return tuple(value) if isinstance(value, list) else value


def _is_list(argument):
    return argument.name == "self" and str(argument.type).startswith("List[")


def _native(torch, name, is_method):
    found: list = []
    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    by_name = {a.name for schema in schemas for a in schema.arguments if a.kwarg_only}  # some overloads forget it
    for schema in schemas:
        arguments = [a for a in schema.arguments if not a.is_out]
        if not arguments or _is_list(arguments[0]) or "Tensor" not in str(schema.returns[0].type) and all(
                a.name not in ("self", "input", "condition") for a in arguments):
            continue  # the compiler's own, of Python numbers and lists
        form = [Parameter("input" if a.name == "self" else a.name,
                          _default(a), a.name in by_name, kind=str(a.type))
                for a in arguments]
        if form not in found and (not is_method or form[0].kind == "Tensor"):
            found.append(form)
    return found
