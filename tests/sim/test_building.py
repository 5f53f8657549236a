"""The compiler and the cache."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

PROGRAM = """
import numpy as np
import gpunet.sim.cupy as xp
code = 'extern "C" __global__ void fill(int* x, int v) { x[threadIdx.x] = v; }'
x = xp.zeros(8, np.int32)
xp.RawKernel(code, "fill")((1,), (8,), (x, np.int32(7)))
assert x.tolist() == [7] * 8
print("done")
"""


def run(environment, program=PROGRAM):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})


def test_processes_build_the_same_thing_at_once(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, [{"GPUNET_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path)}] * 2))
    assert [result.stdout for result in results] == ["done\n"] * 2, results[0].stderr
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2 and all(name.startswith("sim-") and name.endswith(".so") for name in names)

    # What is built is used again, also where there is no compiler any more and the folder is read-only.
    os.chmod(tmp_path, 0o500)
    try:
        assert run({"GPUNET_CACHE_DIR": str(tmp_path)}).stdout == "done\n"
    finally:
        os.chmod(tmp_path, 0o700)


def test_no_compiler(tmp_path):
    result = run({"PATH": str(tmp_path), "GPUNET_CXX": "", "CXX": ""})
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("gpunet.sim.errors.CompilerMissingError: the sim device needs a C++ compiler")
    assert "install g++" in last


def test_a_compiler_that_is_not_there_is_named():
    result = run({"GPUNET_CXX": "no-such-compiler"})
    assert "$GPUNET_CXX names 'no-such-compiler'" in result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("given, expected", [
    (("-DN=3", "-I/somewhere", "--std=c++17", "-arch=sm_90"), ("-ffp-contract=fast", "-DN=3", "-I/somewhere")),
    (("-D", "N=3", "--fmad=false"), ("-ffp-contract=off", "-DN=3")),
    (("--define-macro=A", "--include-path=/b"), ("-ffp-contract=fast", "-DA", "-I/b")),
])
def test_options(given, expected):
    from gpunet.sim.toolchain import host_options

    assert host_options(given) == expected


def test_importing_starts_nothing():
    program = "import sys, gpunet.sim; assert 'cupy' not in sys.modules; print('done')"
    assert run({"PATH": "/nowhere"}, program).stdout == "done\n"
