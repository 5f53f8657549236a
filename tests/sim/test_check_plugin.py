"""The pytest plugin: marker, fixture and flag."""

import subprocess
import sys
from pathlib import Path

import pytest

from gpunet.kernel import cache

pytest_plugins = ["pytester"]

TESTS = """
import numpy as np
import pytest
import gpunet.sim.cupy as xp
from gpunet import sim

KERNEL = sim.Module("__global__ void f(float* x, int n) { if (threadIdx.x < n) x[threadIdx.x] = 1; }").get_function("f")

def launch(n):
    x = xp.zeros(32, np.float32)
    KERNEL((1,), (64,), (x, np.int32(n)))
    assert (x.get() == 1).all()

def test_plain():
    launch(32)

@pytest.mark.cuda_check
def test_clean():
    launch(32)

@pytest.mark.cuda_check(timeout=30)
def test_marked():
    launch(40)

def test_with_fixture(cuda_check):
    launch(40)
    assert [finding.kind for finding in cuda_check] == ["out of bounds"]
    cuda_check.clear()

def test_with_fixture_not_looked_at(cuda_check):
    launch(40)
"""


@pytest.fixture(autouse=True)
def shared_cache(monkeypatch):
    """Of what is built: pytester gives its tests a home of their own, where the simulator would be built anew."""
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(cache.directory()))


def run(pytester, *options):
    pytester.makepyfile(TESTS)
    return pytester.runpytest_subprocess("-p", "gpunet_pytest", "-p", "no:cacheprovider", "-q", *options)


def test_marker_and_fixture(pytester):
    result = run(pytester)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(["*out of bounds: *", "*kernel.cu:1 *", "*x[[]32]*"])


def test_flag_for_all(pytester):
    result = run(pytester, "--cuda-check", "-k", "plain or clean")
    result.assert_outcomes(passed=2)


def test_pytest_loads_nothing_heavy():
    program = "import sys, gpunet_pytest; assert not {'numpy', 'gpunet'} & sys.modules.keys(); print('done')"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True).stdout == "done\n"


def test_the_package_announces_it():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"gpunet_pytest": "gpunet_pytest"}
    assert "gpunet_pytest.py" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]


def test_warnings_are_pytests(pytester):
    pytester.makepyfile("""
        import numpy as np
        import pytest
        import gpunet.sim.cupy as xp
        from gpunet import sim

        SAME = sim.Module("__global__ void f(int* x) { *x = 1; }").get_function("f")

        @pytest.mark.cuda_check
        def test_one_value():
            SAME((1,), (64,), (xp.zeros(1, np.int32),))
    """)
    result = pytester.runpytest_subprocess("-p", "gpunet_pytest", "-p", "no:cacheprovider", "-q")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*warning: race: *all write the same value"])
