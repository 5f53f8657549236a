"""Kernels for the simulator's own tests, built once for all of them."""

import os
import shutil

import pytest
from sim_kernels import EXPRESSIONS, KERNELS

from gpunet import sim

if not any(map(shutil.which, ("g++", "clang++", os.environ.get("GPUNET_CXX", ""), os.environ.get("CXX", "")))):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def kernels():
    return sim.Module(code=KERNELS, name_expressions=EXPRESSIONS)


@pytest.fixture
def launch(kernels):
    """launch(name, grid, block, *arguments, shared_mem=0)"""
    def run(name, grid, block, *arguments, shared_mem=0):
        grid, block = ((size,) if isinstance(size, int) else size for size in (grid, block))
        kernels.get_function(name)(grid, block, arguments, shared_mem=shared_mem)
    return run


@pytest.fixture
def workers():
    """set(n): number of host threads, back to the default at the end"""
    yield sim.set_num_workers
    sim.set_num_workers(len(os.sched_getaffinity(0)))
