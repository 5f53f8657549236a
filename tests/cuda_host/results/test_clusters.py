"""cuLaunchKernelEx: the attributes of a launch say how many blocks a cluster has."""

import ctypes

import cupy
import numpy as np
import pytest

CLUSTER_DIMENSION, COOPERATIVE = 4, 2  # CUlaunchAttributeID
INVALID_CLUSTER_SIZE = 912
SOURCE = r"""
extern "C" __global__ void next(int* y) {
    __shared__ int mine;
    if (threadIdx.x == 0) mine = 100 * blockIdx.x;
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
    const unsigned rank = (__clusterRelativeBlockRank() + 1) % __clusterSizeInBlocks();
    y[blockIdx.x * blockDim.x + threadIdx.x] = *(int*)__cluster_map_shared_rank(&mine, rank) + threadIdx.x;
    __cluster_barrier_arrive();
    __cluster_barrier_wait();
}"""


class Attribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("pad", ctypes.c_int), ("value", ctypes.c_uint * 16)]


class Config(ctypes.Structure):
    _fields_ = [("sizes", ctypes.c_uint * 7), ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(Attribute)),
                ("count", ctypes.c_uint)]


def launch(kernel, grid, block, y, *attributes):
    """The driver's status."""
    given = (Attribute * len(attributes))(*[Attribute(id, 0, (ctypes.c_uint * 16)(*value)) for id, value in attributes])
    config = Config((grid, 1, 1, block, 1, 1, 0), None, given, len(given))
    pointer = ctypes.c_void_p(y.data.ptr)
    parameters = (ctypes.c_void_p * 1)(ctypes.addressof(pointer))
    return ctypes.CDLL("libcuda.so.1").cuLaunchKernelEx(ctypes.byref(config), ctypes.c_void_p(kernel.kernel.ptr),
                                                       parameters, None)


@pytest.fixture(scope="module")
def kernel():
    return cupy.RawKernel(SOURCE, "next")


@pytest.mark.parametrize("size", [1, 2, 4])
def test_each_block_reads_from_the_next_of_its_cluster(kernel, size):
    y = cupy.zeros((8, 32), np.int32)
    assert launch(kernel, 8, 32, y, (COOPERATIVE, (0,)), (CLUSTER_DIMENSION, (size, 1, 1))) == 0
    block, thread = np.indices((8, 32))
    np.testing.assert_array_equal(y.get(), (block // size * size + (block + 1) % size) * 100 + thread)


@pytest.mark.parametrize("grid, size", [(8, 3), (64, 32), (8, 0)])
def test_clusters_that_no_device_has(kernel, grid, size):
    y = cupy.zeros((grid, 32), np.int32)
    assert launch(kernel, grid, 32, y, (CLUSTER_DIMENSION, (size, 1, 1))) == INVALID_CLUSTER_SIZE
