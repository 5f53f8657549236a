"""Runs tests over the stand-in driver in processes of their own: those of inside/, which count launches, and those in
which launches run, so that the device cuda computes."""

import os
import subprocess
import sys

import pytest

from tests.cuda_host.stand_in import HERE, ROOT, Missing, environment

RUN = ("-p", "tests.cuda_host.running")


def check(gpus, run, *arguments):
    try:
        variables = environment(gpus, run)
    except Missing as missing:
        pytest.skip(f"the stand-in driver cannot be built here; missing: {missing}")
    variables = {name: value for name, value in variables.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *map(str, arguments)]
    done = subprocess.run(command, env=variables, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == os.EX_OK, done.stdout[-10000:]


# The two that take long are the first and the last: pytest's workers begin with a half of the tests each.
def test_results():
    check(1, True, *RUN, HERE / "results", ROOT / "tests/networks", ROOT / "tests/test_readme.py")


@pytest.mark.parametrize("file, gpus", [("cases", 2), ("rules", 1), ("networks", 1), ("capture", 1), ("gpus", 2),
                                        ("steps", 1), ("cuda_names", 2)])
def test_over_the_stand_in_driver(file, gpus):
    check(gpus, False, HERE / f"inside/test_{file}.py")


def test_a_row_of_each_function_agrees_with_the_cpu():
    check(1, True, *RUN, ROOT / "tests/ops/test_cases.py")


@pytest.mark.slow
@pytest.mark.parametrize("selection", [
    ("tests/kernel",), ("--slow", "tests/cuda_host/results", "tests/networks", "tests/ops"),
    ("--slow", "tests/autograd", "tests/data", "tests/devices", "tests/distributions", "tests/nn", "tests/optim",
     "tests/saving"),
], ids=lambda paths: paths[-1])
def test_all_that_is_tested_on_cuda(selection):
    """Takes minutes of a core each; all variants of the kernels would take hours."""
    check(1, True, *RUN, *selection)
