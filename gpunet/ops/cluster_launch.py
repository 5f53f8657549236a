"""Rows that the blocks of a cluster share, each of which keeps its part in shared memory: on GPUs of compute capability
9.0 and later. As few blocks as leave a multiprocessor room for a second one."""

from __future__ import annotations

from gpunet.ops.launching import blocks_of

CLUSTERS = 90  # the first compute capability that has them
BLOCKS = 2, 4, 8  # of a cluster; every such GPU runs 8
THREADS = 512  # of which two blocks share a multiprocessor
JOINING = 1024  # bytes of shared memory that a block needs beside what it keeps
_RESERVED = 1024  # bytes that the hardware takes of each block's


def room_of(cuda, itemsize: int) -> tuple[int, int]:
    """How many elements a block can keep: alone on a multiprocessor, and beside a second one."""
    half = (cuda.shared_memory + _RESERVED) // 2 - _RESERVED - JOINING
    return (cuda.shared_memory - JOINING) // itemsize, half // itemsize


def parts_of(columns: int, pack: int, half: int, blocks: tuple[int, ...] = BLOCKS) -> tuple[int, int]:
    """How many blocks share a row, and how many columns each has; `half`: what leaves room for a second block."""
    parts = [(each, pack * blocks_of(columns, each * pack)) for each in blocks]
    return next((each for each in parts if each[1] <= half), parts[-1])
