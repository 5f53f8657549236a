"""What the CUDA device takes from CuPy exists in CuPy, with the signatures that it is called with. Needs no GPU."""

import ast
import functools
import inspect
from pathlib import Path

import pytest

cupy = pytest.importorskip("cupy")
SOURCE = (Path(__file__).parents[2] / "gpunet" / "devices" / "cuda.py").read_text()


def chains():
    """The dotted names that the file asks of CuPy: cupy.a.b, self.xp.a.b, xp.a, and cuda.a (for cupy.cuda.a)."""
    for node in ast.walk(ast.parse(SOURCE)):
        if isinstance(node, ast.Attribute):
            parts = ast.unparse(node).split(".")
            parts = parts[1:] if parts[0] == "self" else parts
            if not all(part.isidentifier() for part in parts):
                continue
            if parts[0] in ("cupy", "xp") and len(parts) > 1:
                yield ".".join(parts[1:])
            elif parts[0] == "cuda":
                yield ".".join(parts)


def test_there_are_names():
    assert {"empty", "cuda.MemoryPool", "cuda.using_allocator", "RawModule"} <= set(chains())


@pytest.mark.parametrize("name", sorted(set(chains())))
def test_name_exists(name):
    found = cupy
    for part in name.split("."):
        found = getattr(found, part)


@pytest.mark.parametrize("function, arguments", [
    (cupy.RawModule, {"path": ""}), (cupy.cuda.Stream, {"non_blocking": True}),
    (cupy.cuda.using_allocator, {"allocator": None}),
])
def test_signatures(function, arguments):
    try:
        inspect.signature(function).bind_partial(**arguments)
    except ValueError:  # a Cython function that does not show its signature
        assert all(name in (function.__doc__ or "") for name in arguments)


def test_graphs_have_what_a_recording_needs():
    assert hasattr(cupy.cuda.Stream, "begin_capture") and hasattr(cupy.cuda.Stream, "end_capture")
    assert hasattr(cupy.cuda.Graph, "launch")
    assert callable(cupy.add.reduce) and callable(cupy.add.at)


# ---- the ops' bodies, which take their array module as `xp`

OPS = sorted((Path(__file__).parents[2] / "gpunet" / "ops").glob("*.py"))


def xp_name(node):
    """The dotted name after `xp.`, or None."""
    text = ast.unparse(node)
    return text.removeprefix("xp.") if text.startswith("xp.") and text.replace(".", "").isidentifier() else None


@pytest.mark.parametrize("path", OPS, ids=lambda path: path.stem)
def test_bodies_call_what_cupy_has(path):
    from gpunet.sim import cupy as stand_in

    for node in ast.walk(ast.parse(path.read_text())):
        name = xp_name(node) if isinstance(node, ast.Attribute) else None
        for module in (cupy, stand_in) if name else ():
            found = module
            for part in name.split("."):
                assert hasattr(found, part), f"{path.name}:{node.lineno}: {module.__name__} has no {name}"
                found = getattr(found, part)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and xp_name(node.func):
            if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
                continue
            function = functools.reduce(getattr, xp_name(node.func).split("."), cupy)
            where = f"{path.name}:{node.lineno}: {ast.unparse(node)}"
            if function is cupy.matmul:  # shows *args, and takes `out` by name only
                assert len(node.args) == 2, f"{where}: out by name"
            if isinstance(function, cupy.ufunc):
                assert len(node.args) <= function.nin + function.nout, where
                assert {k.arg for k in node.keywords} <= {"out", "dtype", "casting"}, where
                continue
            try:
                signature = inspect.signature(function)
            except (ValueError, TypeError):  # Cython's
                continue
            try:
                signature.bind(*node.args, **{k.arg: k.value for k in node.keywords})
            except TypeError as error:
                raise AssertionError(f"{where}: {error}") from None
