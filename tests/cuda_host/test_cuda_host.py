"""Runs the tests of inside/ over the stand-in driver, each file in a process of its own."""

import os
import subprocess
import sys

import pytest

from tests.cuda_host.stand_in import HERE, ROOT, Missing, environment


@pytest.mark.parametrize("file, gpus", [("cases", 2), ("rules", 1), ("networks", 1), ("capture", 1), ("gpus", 2),
                                        ("steps", 1), ("cuda_names", 2)])
def test_over_the_stand_in_driver(file, gpus):
    try:
        variables = environment(gpus)
    except Missing as missing:
        pytest.skip(f"the stand-in driver cannot be built here; missing: {missing}")
    variables = {name: value for name, value in variables.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", f"{HERE}/inside/test_{file}.py"]
    done = subprocess.run(command, env=variables, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == os.EX_OK, done.stdout[-10000:]
