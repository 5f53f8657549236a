"""Programs run where llvmlite is installed; kernels are compiled where NVRTC is. Reading needs neither."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from gpunet.kernel import nvrtc

sys.path.append(str(Path(__file__).parents[1] / "kernel"))  # budgets.py, which lists all kernels

_LLVMLITE = pytest.mark.skipif(importlib.util.find_spec("llvmlite") is None,
                               reason="llvmlite is not installed: pip install 'gpunet[sim]'")


def pytest_collection_modifyitems(items):
    here = os.path.dirname(__file__)
    for item in items:
        folder, name = os.path.split(item.path)
        if folder == here and name != "test_reader.py":
            item.add_marker(_LLVMLITE)


@pytest.fixture(scope="session")
def compiler():
    """NVRTC's version."""
    try:
        return nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
