"""The house rules that a machine can check: imports go down, files stay small, CuPy stays where it belongs."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gpunet"

# From the top down; a module may import from its own floor and from those below.
FLOORS = [
    {"__init__", "__main__"}, {"torch", "torch_compat"}, {"compat"}, {"cli"}, {"keras", "sklearn"},
    {"train", "models", "benchmark", "vision", "func", "interpret", "privacy", "compress"}, {"metrics"},
    {"accelerator", "backends", "profiler"}, {"cuda"},
    {"nn", "optim", "distributions", "utils", "amp", "data", "serialization", "autograd"}, {"legacy_tensors"},
    {"tensor", "linalg", "special", "_tensor_copies", "_tensor_methods", "_tensor_text", "record"}, {"ops"},
    {"random"}, {"dispatch"},
    {"engine"}, {"devices"}, {"native"}, {"sim"}, {"ptx"}, {"kernel"}, {"_promotion"}, {"number_types"},
    {"dtypes", "_layouts", "size", "_quiet", "_warn", "files", "settings", "_environment"},
    {"_channels_last"}, {"_names"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def import_statements(path):
    """[(statement, whether it is carried out when the module is imported)], but for those under `if TYPE_CHECKING:`."""
    return list(_import_statements(ast.parse(path.read_text()).body, True))


def _import_statements(statements, at_import):
    for each in statements:
        if isinstance(each, ast.Import | ast.ImportFrom):
            yield each, at_import
        elif isinstance(each, ast.If) and ast.unparse(each.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _import_statements(each.orelse, at_import)
        else:
            now = at_import and not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _import_statements(getattr(each, part, ()), now)


def imports(path):
    """(imported module, whether at import time) of a file, but for those that only types need."""
    for node, at_import in import_statements(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, at_import
        elif node.level == 0:
            if node.module == "gpunet":
                for alias in node.names:
                    yield f"gpunet.{alias.name}", at_import
            else:
                yield node.module, at_import


def test_imports_go_down():
    for path in FILES:
        here = room(path)
        for module, _ in imports(path):
            parts = module.split(".")
            if parts[0] == "gpunet" and len(parts) > 1 and parts[1] in LEVEL and here != "__init__":
                assert LEVEL[parts[1]] >= LEVEL[here], f"{path} ({here}) imports {module} from a floor above"


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph(files):
    """Module -> the modules that it imports anywhere, also inside functions. A package that is named only on the way to
    one of its modules does not count."""
    names = {module_name(path): path for path in files}
    graph = {}
    for name, path in names.items():
        found = set()
        for node, _ in import_statements(path):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            else:
                assert node.level == 0, f"{path} imports relatively"
                modules = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                found |= {module if module in names else node.module for module in modules.values()}
        graph[name] = (found & names.keys()) - {name}
    return graph


def circle_in(graph):
    """Modules that import each other in a circle, or None."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module):], module]
        if module in done:
            return None
        path.append(module)
        found = next(filter(None, map(visit, sorted(graph[module]))), None)
        path.pop()
        done.add(module)
        return found

    return next(filter(None, map(visit, sorted(graph))), None)


def test_imports_make_no_circle():
    circle = circle_in(import_graph(FILES))
    assert circle is None, " imports ".join(circle)


def test_a_circle_is_found():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_every_module_has_a_floor():
    assert {room(path) for path in FILES} <= LEVEL.keys()


def test_heavy_modules_are_imported_where_they_are_used():
    for path, (module, at_import) in ((file, found) for file in FILES for found in imports(file)):
        top = module.split(".")[0]
        if top in ("cupy", "cupyx"):
            assert room(path) in ("devices", "kernel", "ops", "cli"), f"{path} imports CuPy"
            assert not at_import
        if top in ("rich", "matplotlib", "PIL") and room(path) not in ("cli",):
            assert not at_import, f"{path} imports {module} when it is imported"
        assert top != "torch", f"{path} imports {module}"
        assert top != "scipy" or path.name == "matching.py" and not at_import, f"{path} imports {module}"
        assert top != "sklearn" or room(path) == "sklearn", f"{path} imports {module}"


@pytest.mark.parametrize("pattern", ["gpunet/**/*.py", "kernels/*.cu*", "kernels/cpu/**/*.*", "gpunet/sim/**/*.h",
                                     "gpunet/sim/**/*.cpp", "tests/**/*.py", "bench/**/*.py"])
def test_files_stay_small(pattern):
    for path in ROOT.glob(pattern):
        assert len(path.read_text().splitlines()) <= 600, path


def test_inline_ptx_stays_in_its_wrappers():
    """Inline PTX only in ptx.cuh and wgmma.cuh: functions with at most one `asm` each."""
    for path in (ROOT / "kernels").glob("*.cu*"):
        text = path.read_text()
        if path.name in ("ptx.cuh", "wgmma.cuh"):
            assert all(function.count("asm") <= 1 for function in text.split("__device__ __forceinline__")[1:]), path
        else:
            assert "asm" not in text, path
        assert "__GPUNET_SIM__" not in text and "#ifdef" not in text, path
