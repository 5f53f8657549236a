"""The house rules that a machine can check: imports go down, files stay small, CuPy stays where it belongs."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gpunet"

# From the top down; a module may import from its own floor and from those below.
FLOORS = [
    {"__init__", "__main__"}, {"cli"}, {"train", "models", "benchmark"},
    {"nn", "optim", "distributions", "utils", "amp", "data", "serialization"},
    {"tensor", "linalg", "tensor_text", "size", "record"}, {"ops"}, {"random"}, {"dispatch"}, {"autograd"},
    {"devices"}, {"kernel", "sim"}, {"promotion"}, {"dtypes", "quiet", "files"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    inside = path.relative_to(PACKAGE)
    if inside.parts == ("autograd", "functional.py"):  # Jacobians and their like use the operations
        return "tensor"
    return inside.parts[0].removesuffix(".py")


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text())


def imports(path):
    """(imported module, whether at import time) of a file."""
    tree = tree_of(path)
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
              for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inside
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if node.module == "gpunet":
                for alias in node.names:
                    yield f"gpunet.{alias.name}", id(node) not in inside
            else:
                yield node.module, id(node) not in inside


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    here = room(path)
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] == "gpunet" and len(parts) > 1 and parts[1] in LEVEL and here != "__init__":
            assert LEVEL[parts[1]] >= LEVEL[here], f"{path.name} ({here}) imports {module} from a floor above"


def modules_imported(path, names):
    """The modules of `names` that a file imports anywhere: also in functions, and for type checkers alone."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in names else node.module for name in inner)


def reached(name, below):
    """All modules that a module imports, directly or not."""
    found, new = set(), {name}
    while new := {imported for module in new for imported in below[module]} - found:
        found |= new
    return found


# Circles that still stand; the test keeps others from coming.
CIRCLES = {"gpunet.ops.linalg", "gpunet.ops.vector_norm", "gpunet.nn.module", "gpunet.nn.registry", "gpunet.nn.state"}


def test_there_are_no_import_circles():
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    below = {name: {*modules_imported(path, names)} - {name} for name, path in names.items()}
    circles = {name for name in below if name in reached(name, below)}
    assert circles <= CIRCLES, {name: below[name] & circles for name in circles - CIRCLES}


def test_every_module_has_a_floor():
    assert {room(path) for path in FILES} <= LEVEL.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_modules_are_imported_where_they_are_used(path):
    for module, at_import in imports(path):
        top = module.split(".")[0]
        if top in ("cupy", "cupyx"):
            assert room(path) in ("devices", "kernel", "ops", "cli"), f"{path} imports CuPy"
            assert not at_import
        if top in ("rich", "matplotlib", "PIL") and room(path) not in ("cli",):
            assert not at_import, f"{path} imports {module} when it is imported"
        assert top not in ("torch", "scipy", "sklearn"), f"{path} imports {module}"


@pytest.mark.parametrize("pattern", ["gpunet/**/*.py", "kernels/*", "gpunet/sim/**/*.h", "gpunet/sim/**/*.cpp",
                                     "tests/**/*.py", "bench/**/*.py"])
def test_files_stay_small(pattern):
    for path in ROOT.glob(pattern):
        assert len(path.read_text().splitlines()) <= 600, path


def test_inline_ptx_stays_in_its_wrappers():
    """Inline PTX only in ptx.cuh and wgmma.cuh: functions with at most one `asm` each."""
    for path in (ROOT / "kernels").iterdir():
        text = path.read_text()
        if path.name in ("ptx.cuh", "wgmma.cuh"):
            assert all(function.count("asm") <= 1 for function in text.split("__device__ __forceinline__")[1:]), path
        else:
            assert "asm" not in text, path
        assert "__GPUNET_SIM__" not in text and "#ifdef" not in text, path
