"""How many blocks of a kernel share a multiprocessor: NVIDIA's occupancy calculation, which needs no GPU.

The formula is that of cuda_occupancy.h of the CUDA toolkit, for the carve-out of shared memory that suits the kernel
best; the limits are the CUDA Programming Guide's table "Technical Specifications per Compute Capability".
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIMITS", "Limits", "Occupancy", "capability_of", "occupancy"]

_REGISTERS = 65536  # of a multiprocessor, and the most a block may have
_PARTITIONS = 4  # a multiprocessor's; each has its own registers, and a warp lives in one
_REGISTER_UNIT = 256  # registers are given to a warp in multiples of this


@dataclass(frozen=True)
class Limits:
    """What a multiprocessor of one compute capability holds at a time.

    Args:
        warps: resident warps.
        blocks: resident blocks.
        shared: bytes of shared memory.
        reserved: bytes of it that the driver keeps for itself in every block.
        unit: it is given out in multiples of so many bytes.

    Examples:
        >>> from gpunet.kernel import occupancy
        >>> occupancy.LIMITS[90].shared_per_block
        232448
    """

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
    """How many blocks of a kernel run on a multiprocessor at a time, as `occupancy` gives it.

    Args:
        blocks: the number.
        share: their warps, as a share of those that it has room for.
        limited_by: what does not suffice for one block more: "warps", "blocks", "registers" or "shared memory".

    Examples:
        >>> from gpunet.kernel import occupancy
        >>> occupancy.Occupancy(2, 0.5, "registers").share
        0.5
    """

    blocks: int
    share: float
    limited_by: str


def occupancy(capability: int, threads: int, registers: int, shared: int) -> Occupancy | None:
    """How many blocks of a kernel run on a multiprocessor at a time.

    Source: cuda_occupancy.h of the CUDA toolkit.

    Args:
        capability: the compute capability times ten: 90 for 9.0.
        threads: of a block.
        registers: of a thread.
        shared: bytes of shared memory of a block, static and dynamic together.

    Returns:
        The occupancy; None for a compute capability that is not in `LIMITS`.

    Examples:
        >>> from gpunet.kernel.occupancy import occupancy
        >>> occupancy(90, threads=256, registers=64, shared=0)
        Occupancy(blocks=4, share=0.5, limited_by='registers')
    """
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
    """The compute capability of an architecture, times ten.

    Args:
        architecture: its name, such as "sm_90a".

    Returns:
        Such as 90.

    Examples:
        >>> from gpunet.kernel import occupancy
        >>> occupancy.capability_of("sm_90a")
        90
    """
    return int(architecture.removeprefix("sm_").rstrip("af"))


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
