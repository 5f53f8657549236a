"""The tables of the checker's tests, by PTX: planted mistakes are found at their lines, clean kernels are silent, and
each barrier of these is missed."""

import ctypes
import functools
import os
from dataclasses import replace

import numpy as np
import pytest

from gpunet import ptx, sim
from gpunet.kernel import nvrtc, source
from gpunet.ptx.arena import Extent
from gpunet.sim import toolchain
from gpunet.sim.profiling import _extents, compiled
from gpunet.sim.translate.device_part import device_part
from tests.checker import test_clean, test_mutations, test_own_kernels, test_planted
from tests.checker.harness import HERE, build, marks
from tests.ptx.harness import functions

# All files and sweeps take an hour.
ALL = os.environ.get("GPUNET_TEST_ARCHITECTURES") == "all"
_GROUPS = ("reductions.cu", "scans.cu", "blocks.cu", "barriers.cu", "collectives.cu")  # include cooperative_groups.h

# Planted mistakes that PTX does not show, and why.
_TYPES = "PTX has no types: what is outside a row is inside the array"
_SIGNS = "PTX adds and multiplies integers without saying that they must not overflow"
OTHERWISE = {
    **dict.fromkeys(("strides_too_far", "steps_over_the_largest_number", "multiplies_two_ints", "adds_up_to_too_much"),
                    _SIGNS),
    "column_beyond_a_row": _TYPES,
}
QUICK = {"reads_a_neighbour_too_early", "no_guard_at_the_end"}
QUICK_CLEAN = {"double_buffer"}


def cases(table, quick):
    return [pytest.param(file, case, id=f"{file}-{case.kernel}", marks=() if case.kernel in quick else pytest.mark.slow)
            for file, rows in table.items() for case in rows]


@pytest.fixture(autouse=True)
def _compilers(compiler):
    """NVRTC, and what the tables' arrays need."""
    toolchain.runtime()


def function(folder, file, kernel, text=None):
    if file in _GROUPS and not nvrtc.libraries():
        pytest.skip("cooperative groups need the CCCL headers: pip install nvidia-cuda-cccl")
    return compiled_file(folder, file, text)[kernel]


@functools.cache
def compiled_file(folder, file, text):
    """The kernels of the table's rows for a file, which may have another text."""
    path, table = HERE / folder / file, {"planted": test_planted.TABLE, "clean": test_clean.TABLE}[folder]
    given = source.read(path)
    given = given if text is None else replace(given, text=text)
    return functions(device_part(given, []), [case.kernel for case in table[file]],
                     (f"-I{path.parent}", f"-I{source.folder()}"))


def check(kernel, case, values):
    return ptx.check(kernel, case.grid, case.block, values, shared_mem=case.shared, timeout=case.timeout,
                     extents=extents(values))


def extents(values):
    """The device's arrays that arguments point into."""
    found = [Extent(*each) for each in _extents(tuple(values))]
    for value in values:
        if (address := getattr(value, "_address", getattr(value, "ptr", None))) is not None:
            size, dtype = ctypes.c_size_t(), getattr(value, "dtype", np.dtype(np.uint8))
            start = toolchain.runtime().gpunet_sim_find_allocation(int(address), ctypes.byref(size))
            floating = dtype.kind == "f" or dtype.name == "bfloat16"
            if start is not None:
                found.append(Extent(start, size.value, dtype.itemsize if floating else 0))
    return found


@pytest.mark.parametrize("file, case", cases(test_planted.TABLE, QUICK))
def test_the_bug_is_found_at_its_line(file, case):
    findings = check(function("planted", file, case.kernel), case, build(case))
    wrong = test_planted.complaints(findings, marks(HERE / "planted" / file)[case.kernel])
    if reason := OTHERWISE.get(case.kernel):
        assert wrong, f"it is found now: {reason} does not hold"
    else:
        assert not wrong, "\n".join([*wrong, *map(str, findings)])


@pytest.mark.parametrize("file, case", cases(test_clean.TABLE, QUICK_CLEAN))
def test_nothing_is_found(file, case):
    values = build(case)
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in values]
    findings = check(function("clean", file, case.kernel), case, values)
    assert not findings, "\n".join(map(str, findings))
    test_clean.compare(case, before, values)


@functools.cache
def by_ptx(kernel):
    return compiled(kernel)


SHORT = ("bias_relu gpunet.float32", "column_sum", "cross_entropy 33", "softmax", "nll", "random")


@pytest.mark.slow
@pytest.mark.parametrize("name", test_own_kernels.SWEEPS if ALL else SHORT)
def test_nothing_is_found_in_own_kernels(name, monkeypatch):
    findings = []

    def launch(kernel, grid, block, args, shared_mem=0, stream=None):
        findings.extend(ptx.check(by_ptx(kernel), grid, block, args, shared_mem=shared_mem, extents=extents(args)))

    monkeypatch.setattr(sim.Function, "__call__", launch)
    test_own_kernels.SWEEPS[name].run()
    assert not findings, "\n".join(map(str, findings))


# Barriers whose absence PTX does not show.
SURVIVE: dict[str, set[int]] = {}


@pytest.mark.slow
@pytest.mark.parametrize("file", test_mutations.FILES if ALL else ["tiles.cu"])
def test_each_barrier_is_missed(file):
    text, lines = switchable(file)
    assert {line for line in lines if not missed(file, text, line)} == SURVIVE.get(file, set())
    assert not missed(file, text, 0)


def switchable(file):
    """The file with a switch at each barrier, fence and wait, and their lines."""
    original = (HERE / "clean" / file).read_text()
    lines = [number for number, line in enumerate(original.splitlines(), 1)
             if test_mutations._NEEDED.search(line) and "// unseen" not in line]
    parts = original.splitlines(keepends=True)
    for number in lines:
        parts[number - 1] = test_mutations._NEEDED.sub(lambda m, n=number: f"if (stays({n})) {m.group()}",
                                                       parts[number - 1])
    assert parts[0].startswith("//")  # a comment: its line has room for the switch
    parts[0] = "__device__ int left_out = 0; __device__ bool stays(int line) { return line != left_out; }\n"
    return "".join(parts), lines


def missed(file, text, line):
    """Whether anything is found in the file's kernels when a line is left out."""
    for case in test_clean.TABLE[file]:
        kernel = function("clean", file, case.kernel, text)
        checked = kernel.checked.compiled(int(np.prod(case.block)) % 32 == 0).checked
        for variable in checked["variables"]:
            if variable[0].endswith("left_out"):
                variable[3] = [[4, line]]
        if check(kernel, case, build(case)):
            return True
    return False
