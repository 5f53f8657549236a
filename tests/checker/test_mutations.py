"""Every barrier, fence and wait of the clean kernels is there for a reason: without it, the checker finds something.

All of a file's are made to depend on a variable, so that one build serves: a kernel of its own sets the line to leave
out. `// unseen: why` is on those that CUDA needs and the checker does not miss.
"""

import functools
import re

import numpy as np
import pytest

from gpunet import sim
from gpunet.kernel import source
from tests.checker.harness import HERE, build, check
from tests.checker.test_clean import TABLE

FILES = ["tiles.cu", "pipelines.cu",
         *(pytest.param(name, marks=pytest.mark.slow) for name in ("reductions.cu", "scans.cu", "atomics.cu"))]
_NEEDED = re.compile(r"\b(__syncthreads|__syncwarp|__threadfence|cp_async_wait<\d>|mbar_wait|bar_sync)\([^;]*\);")
_SWITCH = """
__device__ int left_out = 0;
__device__ bool stays(int line) { return line != left_out; }
__global__ void leave_out(int line) { left_out = line; }
"""


@functools.cache
def switchable(file):
    """The file with switches, and the lines that have one."""
    text = (HERE / "clean" / file).read_text()
    lines = [number for number, line in enumerate(text.splitlines(), 1)
             if _NEEDED.search(line) and "// unseen" not in line]
    for number in lines:
        parts = text.splitlines(keepends=True)
        parts[number - 1] = _NEEDED.sub(lambda m, n=number: f"if (stays({n})) {m.group()}", parts[number - 1])
        text = "".join(parts)
    first, _, rest = text.partition("\n")  # a comment: its line has room for the switch
    assert first.startswith("//")
    code = _SWITCH.replace("\n", " ") + "\n" + rest
    templates = tuple(case.kernel for case in TABLE[file] if "<" in case.kernel)
    return sim.Module(code, file=file, options=(f"-I{source.folder()}",), name_expressions=templates), lines


def findings_without(file, line):
    """What is found in any of the file's kernels when a line is left out."""
    module, _ = switchable(file)
    for case in TABLE[file]:
        assert not sim.check(module.get_function("leave_out"), 1, 1, (np.int32(line),))
        if findings := check(module.get_function(case.kernel), case, build(case)):
            return findings
    return []


def survivors(file):
    _, lines = switchable(file)
    text = (HERE / "clean" / file).read_text().splitlines()
    return [(line, text[line - 1]) for line in lines if not findings_without(file, line)]


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_found_with_all_of_them(file):
    assert not findings_without(file, 0)


@pytest.mark.parametrize("file", FILES)
def test_each_is_missed(file):
    assert not [f"{file}:{line}: {text.strip()}" for line, text in survivors(file)]
