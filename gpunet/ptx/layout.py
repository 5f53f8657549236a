"""Where the state of a launch, of a block and of a warp lies in memory: byte offsets, shared by the code that is
compiled for a kernel (lower.py), the code that schedules warps (schedule.py) and Python (launch.py)."""

import platform

WARP_BYTES_BEFORE_REGISTERS = 512


class Warp:
    """Head of a warp's frame; the waiting lanes of each block and the registers follow."""

    LIVE = 0  # lanes that have not returned
    HELD = 4  # lanes that wait at a barrier
    RELEASED = 8  # set when the barrier is complete
    BARRIER = 12  # its number
    EXPECTED = 16  # the threads that it waits for; 0: all of the block
    TRUE = 20  # of a barrier with a reduction: how many gave true,
    TOTAL = 24  # and how many came
    SITE = 28  # under the checker: the last barrier instruction that lanes of it have come to
    STATE = 32  # RUNNABLE, WAITING or DONE
    PICKED = 36  # the block from which a search goes on after a yield; -1: from the first
    NUMBER = 40
    PRESENT = 44  # lanes that the warp has
    ADDING = 48  # the arriving lanes' votes at a barrier with a reduction
    COUNTED = 52
    GENERATION = 56  # of the cluster's barrier, when the warp arrived at it
    OTHER_SITE = 60  # and another at which lanes of it wait; SITE's where there is none
    FIRST = 64  # lane of those that run one after another which is first
    TID = (128, 256, 384)  # x, y, z of the lanes


class Block:
    """Of a block that runs; one for each host thread."""

    SHARED = 0  # address of its shared memory
    INDEX = (8, 12, 16)
    WARPS = 20  # address of the frames
    LAUNCH = 32
    COUNTERS = 40  # address of this host thread's counters
    PYTHON = 48  # Python's state of the host thread that launched, while it does not hold the interpreter's lock
    LOOKED = 56  # the clock, when signals were last looked at
    ARRIVED = 64  # threads at each of 16 barriers
    TRUE = 128  # votes at them
    TOTAL = 192
    LEADER = 256  # address of the first block of its cluster, which has
    CLUSTER_ARRIVED = 264  # threads at the cluster's barrier,
    GENERATION = 268  # and how often that has been complete
    CHECK = 272  # address of what the checker knows of it: shadow.py
    BYTES = 320


class Launch:
    """The arguments follow."""

    GRID = (8, 12, 16)
    BLOCK = (20, 24, 28)
    WARPS = 32
    THREADS = 36
    NEXT = 40  # block to be taken
    BLOCKS = 48
    ERROR = 56  # a kind of errors
    SITE = 60
    ERROR_BLOCK = 64  # three indices
    ERROR_LANES = 76
    ERROR_WARP = 80
    PRINT = 88  # address of the function that prints
    SHARED_BYTES = 96
    STOP = 104  # set from outside: to end at the next yield
    SHARED_LIMIT = 108
    MESSAGE = 112  # of an assertion: addresses of two texts, and a line
    FILE = 120
    LINE = 128
    MAP = 136  # address of bytes for the sectors that are read, then of those that are written
    MAP_FIRST = 144  # the first sector's number
    MAP_COUNT = 152
    LEAVE = 160  # addresses of Python's functions: give the lock back, take it, and carry out handlers of signals
    ENTER = 168
    SIGNALS = 176
    BLOCK_STRIDE = 184  # bytes from a block to the next of its cluster
    GRID_BARRIER = 192  # what cooperative groups keep of the whole grid's barrier
    BYTES = 208


RUNNABLE, WAITING, DONE, AT_CLUSTER = 0, 1, 2, 3  # Warp.STATE
CLUSTER_BARRIER = 16  # Warp.BARRIER of a warp that waits for its cluster
FINISHED, AT_BARRIER, YIELDED, FAILED = 0, 1, 2, 3  # what a warp's function returns
NO_ERROR, TRAP, ASSERTION, DEADLOCK, MIXED_BARRIERS, STOPPED, STACK = range(7)  # Launch.ERROR

SHARED_SHIFT = 18  # the shared memories of a cluster's blocks lie 2^18 bytes apart
FUEL = 100_000  # branches that a warp takes before others get their turn
SPINS = 200  # rounds, for the same, of a loop that may wait for what other lanes do,
SPINS_CHECKED = 16  # and under the checker, where atomics take long
FUEL_AT_ONCE = 500  # where all blocks of a grid are there at once, and wait for each other in loops
CLOCK = "readsteadycounter" if platform.machine() in ("aarch64", "arm64") else "readcyclecounter"  # LLVM's
