"""The same launches on another machine: the results must be these, bit for bit.

    python -m tests.ptx.elsewhere record launches.pkl     where NVRTC is: training, norms, convolutions, products
    python -m tests.ptx.elsewhere replay launches.pkl     elsewhere, as on ARM: needs NumPy and llvmlite alone

In qemu: `qemu-aarch64-static -L ROOT ROOT/usr/bin/python3 -m tests.ptx.elsewhere replay launches.pkl`, where ROOT is a
Debian of arm64 (`debootstrap --foreign`) and the wheels of NumPy and llvmlite for aarch64 are on PYTHONPATH.
"""

import ctypes
import os
import pickle
import sys

import numpy as np

from gpunet import ptx

_WITH_ADDRESSES = ("update", "prepare")  # their arrays hold addresses, which are this process's own


def record():
    """Of each kernel that the device sim launches the first launch: PTX, arguments, arrays before and after."""
    os.environ["GPUNET_SIM"] = "ptx"
    from tests.ptx.test_kernels import PROGRAMS

    found, launch = {}, ptx.Function.__call__

    def bytes_of(array):
        return np.ctypeslib.as_array((ctypes.c_uint8 * array.nbytes).from_address(array._address)).copy()

    def keep(self, grid, block, args, shared_mem=0, stream=None):
        arrays = {number: each for number, each in enumerate(args) if hasattr(each, "_address")}
        before = {number: (each._address, bytes_of(each)) for number, each in arrays.items()}
        launch(self, grid, block, args, shared_mem, stream)
        if not self.name.startswith(_WITH_ADDRESSES):
            plain = [None if number in arrays else each for number, each in enumerate(args)]
            found.setdefault(self.name, (self.ptx.text, self.ptx.symbol, grid, block, plain, shared_mem, before,
                                         {number: bytes_of(each) for number, each in arrays.items()}))

    ptx.Function.__call__ = keep
    for program in PROGRAMS.values():
        program()
    return found


def replay(found):
    """Names of the kernels whose results are others here."""
    different = []
    for name, (text, symbol, grid, block, args, shared_mem, before, after) in found.items():
        memory = {}  # an array that is given twice is one
        for address, content in before.values():
            if content.size > memory.get(address, content[:0]).size:
                memory[address] = content.copy()
        given = [memory[before[number][0]] if number in before else each for number, each in enumerate(args)]
        ptx.Kernel(text, symbol)(grid, block, given, shared_mem)
        same = all(np.array_equal(given[number][:want.size], want) for number, want in after.items())
        print("same   " if same else "differs", name, flush=True)
        different += [] if same else [name]
    return different


if __name__ == "__main__":
    what, file = sys.argv[1:]
    if what == "record":
        sys.path.append(os.path.join(os.path.dirname(__file__), "..", "kernel"))
        with open(file, "wb") as stream:
            pickle.dump(record(), stream)
    else:
        with open(file, "rb") as stream:
            sys.exit(1 if replay(pickle.load(stream)) else 0)
