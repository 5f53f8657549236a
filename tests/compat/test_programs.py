"""Programs for PyTorch run as they are under the alias, and learn along PyTorch's curves from the same weights."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.compat.names import ROOT

FOLDER = Path(__file__).parent / "programs"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))


def under_alias(*arguments, folder=ROOT):
    """`python -m gpunet.torch ...` in a folder."""
    return subprocess.run([sys.executable, "-m", "gpunet.torch", *map(str, arguments)], cwd=folder,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    """(PyTorch's losses by program, or None where it is not installed; gpunet's)"""
    folder = tmp_path_factory.mktemp("programs")
    expected = None
    try:
        import torch
    except ImportError:
        pass
    else:
        from tests.compat import run

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # so small are the programs
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch, of old spellings, which the programs have on purpose
            expected = {path.stem: run.losses_of(path, folder) for path in run.PROGRAMS}
        torch.set_num_threads(threads)
    done = under_alias("-m", "tests.compat.run", folder)
    assert not done.returncode, done.stderr
    return expected, json.loads((folder / "losses.json").read_text())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_learns_as_with_pytorch(losses, program):
    expected, found = losses
    assert np.isfinite(found[program]).all() and np.ptp(found[program]) > 1e-4
    if expected is not None:
        np.testing.assert_allclose(found[program], expected[program], rtol=1e-5)


def test_a_script_with_arguments():
    done = under_alias(FOLDER / "digits.py", "--epochs", 3, "--lr", "2", "--log-interval", "100")
    assert not done.returncode, done.stderr
    tests = [line for line in done.stdout.splitlines() if line.startswith("Test set")]
    assert len(tests) == 3 and int(tests[-1].split()[-1].split("/")[0]) > 40  # of 64, 16 by chance
