"""The programs that people learn with run, and learn."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name,least", [("keras_digits.py", 0.7), ("pytorch_mnist.py", 0.15)])
def test_an_example_learns(name, least):
    """In one epoch on few examples better than by chance, 0.1."""
    command = [sys.executable, EXAMPLES / name, "--quick"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (accuracy,) = re.findall(r"test accuracy ([\d.]+)", out)
    assert float(accuracy) > least
