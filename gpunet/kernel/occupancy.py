"""How many blocks of a kernel share a multiprocessor: NVIDIA's occupancy calculation, which needs no GPU.

The formula is that of cuda_occupancy.h of the CUDA toolkit, for the carve-out of shared memory that suits the kernel
best; the limits are the CUDA Programming Guide's table "Technical Specifications per Compute Capability".
"""

from __future__ import annotations

from dataclasses import dataclass

_REGISTERS = 65536  # of a multiprocessor, and the most a block may have
_PARTITIONS = 4  # a multiprocessor's; each has its own registers, and a warp lives in one
_REGISTER_UNIT = 256  # registers are given to a warp in multiples of this


@dataclass(frozen=True)
class Limits:
    """What a multiprocessor of one compute capability holds at a time. Shared memory in bytes; of it the driver keeps
    `reserved` for itself in every block, and gives out multiples of `unit`."""

    warps: int
    blocks: int
    shared: int
    reserved: int = 1024
    unit: int = 128

    @property
    def shared_per_block(self) -> int:
        """The most that one block may have, static and dynamic together."""
        return self.shared - self.reserved


# By compute capability times ten.
LIMITS = {
    75: Limits(32, 16, 64 << 10, reserved=0, unit=256),
    80: Limits(64, 32, 164 << 10),
    86: Limits(48, 16, 100 << 10),
    87: Limits(48, 16, 164 << 10),
    89: Limits(48, 24, 100 << 10),
    90: Limits(64, 32, 228 << 10),
    100: Limits(64, 32, 228 << 10),
    103: Limits(64, 32, 228 << 10),
    110: Limits(48, 24, 228 << 10),
    120: Limits(48, 24, 100 << 10),
    121: Limits(48, 24, 100 << 10),
}


@dataclass(frozen=True)
class Occupancy:
    """`blocks` of a kernel run on a multiprocessor at a time; their warps are `share` of those it has room for.
    `limited_by` names what does not suffice for one block more."""

    blocks: int
    share: float
    limited_by: str


def occupancy(capability: int, threads: int, registers: int, shared: int) -> Occupancy | None:
    """For a compute capability (times ten), blocks of so many threads, registers a thread, and bytes of shared memory a
    block. None for a compute capability that is not in the table."""
    limits = LIMITS.get(capability)
    if limits is None:
        return None
    warps = -(-threads // 32)
    per_warp = _round_up(registers * 32, _REGISTER_UNIT)
    fit = {"warps": limits.warps // warps, "blocks": limits.blocks}
    if per_warp:
        # The check at launch rounds a block's warps up to the partitions; after it, warps fill the partitions singly.
        launches = per_warp * _round_up(warps, _PARTITIONS) <= _REGISTERS
        fit["registers"] = _REGISTERS // _PARTITIONS // per_warp * _PARTITIONS // warps if launches else 0
    if taken := _round_up(shared + limits.reserved, limits.unit):
        fit["shared memory"] = limits.shared // taken
    limit = min(fit, key=fit.__getitem__)
    return Occupancy(fit[limit], fit[limit] * warps / limits.warps, limit)


def capability_of(architecture: str) -> int:
    """90 for "sm_90a"."""
    return int(architecture.removeprefix("sm_").rstrip("af"))


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
