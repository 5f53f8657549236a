"""What the stand-in driver has counted."""

import ctypes

# In the order of driver.cpp.
NAMES = ("launches", "library calls", "to host", "to device", "on device", "memsets", "synchronizations", "allocations",
         "graphs", "graph nodes")
_OF_OTHERS = ("allocations", "graph nodes")  # what the memory pool makes once; what a graph counts for
_count = ctypes.CDLL("libcuda.so.1").fake_cuda_count
_count.restype = ctypes.c_long


def counts(gpu: int = 0) -> dict[str, int]:
    """All counts of a GPU since the start of the process."""
    return {name: _count(gpu, i) for i, name in enumerate(NAMES)}


def counted(function, gpu: int = 0) -> dict[str, int]:
    """What a call of the function adds to a GPU's counts; without what is 0, allocations, and the nodes of graphs."""
    before = counts(gpu)
    function()
    after = counts(gpu)
    return {name: after[name] - before[name] for name in NAMES
            if after[name] != before[name] and name not in _OF_OTHERS}
