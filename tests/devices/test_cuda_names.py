"""What the CUDA device takes from CuPy exists in CuPy, with the signatures that it is called with. Needs no GPU."""

import ast
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
