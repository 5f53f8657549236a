"""From CUDA C++ to C++ for the host, text to text: `rewrite.rewrite` is the whole way.

    rewrite.py           the steps in their order; includes, kernels and their exports
    host_code.py         leaves out what only the host runs
    reach.py             leaves out what one kernel does not need
    surface.py           what of CUDA is refused by name
    spins.py             loops that wait for another thread let it run
    inline_ptx.py        `asm` statements as calls
    device_variables.py  `__device__` variables as references into device memory, where the checker looks on
    indices.py           index arithmetic once more in 64 bits, for the checker
    shared_variables.py  `__shared__` variables as references into the block's shared memory
"""
