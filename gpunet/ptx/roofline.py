"""The roofline of a launch: which share of a GPU's arithmetic its memory traffic leaves room for, at most.

Two bounds. One takes that each sector that the launch touches comes from memory, or goes there, once: nothing could do
with less. The other takes that each access goes to memory: no cache helps. Neither is a measurement, nor says where
between them a GPU is.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpunet.kernel.occupancy import capability_of


@dataclass(frozen=True)
class Machine:
    """A GPU by its data sheet: bytes and operations a second, without sparsity."""

    name: str
    memory: float
    float32: float
    float64: float
    half: float
    tensor: float


# By compute capability times ten. Sources: NVIDIA's data sheets and architecture white papers (T4, A100 40 GB SXM,
# GA102, AD102, H100 SXM, B200, RTX 5090). "tensor": half precision with sums in float32.
MACHINES = {
    75: Machine("T4", 320e9, 8.1e12, 0.25e12, 16.2e12, 65e12),
    80: Machine("A100", 1555e9, 19.5e12, 9.7e12, 78e12, 312e12),
    86: Machine("RTX 3090", 936e9, 35.6e12, 0.556e12, 35.6e12, 71e12),
    89: Machine("RTX 4090", 1008e9, 82.6e12, 1.29e12, 82.6e12, 165e12),
    90: Machine("H100", 3350e9, 66.9e12, 33.5e12, 133.8e12, 989e12),
    100: Machine("B200", 8000e9, 80e12, 40e12, 160e12, 2250e12),
    120: Machine("RTX 5090", 1792e9, 104.8e12, 1.64e12, 104.8e12, 209.5e12),
}


@dataclass(frozen=True)
class Roofline:
    """The bounds of a launch on a GPU.

    Attributes:
        machine: the GPU whose data sheet is taken.
        unit: the arithmetic that asks for the most: "float32", "float64", "half", "tensor".
        operations: all of floating point.
        once: bytes, each touched sector once; None where it is not known.
        every: bytes, each access.
        share_once: of the arithmetic's peak, at most, with the bytes of `once`.
        share_every: the same with those of `every`.
        balance: operations a byte at which memory and arithmetic ask for the same.

    Examples:
        >>> found = gpunet.ptx.roofline.roofline("sm_80", {"float32": 1000}, 4000, 2000)
        >>> found.intensity_every, round(found.share_every, 4)
        (0.25, 0.0199)
    """

    machine: str
    unit: str
    operations: int
    once: int | None
    every: int
    share_once: float | None
    share_every: float
    balance: float

    @property
    def intensity_once(self) -> float | None:
        """Operations for a byte, each touched sector once."""
        return self.operations / self.once if self.once else None

    @property
    def intensity_every(self) -> float:
        """Operations for a byte of each access."""
        return self.operations / self.every


def roofline(architecture: str, operations: dict[str, int], every: int, once: int | None) -> Roofline | None:
    """The bounds of a launch.

    Args:
        architecture: such as "sm_90a".
        operations: of floating point, by unit.
        every: bytes of all sectors of all accesses.
        once: bytes of the sectors touched, each once.

    Returns:
        The bounds; None for an architecture without a data sheet here, or without operations or bytes.
    """
    capability = capability_of(architecture)
    machine = MACHINES.get(capability) or next((MACHINES[each] for each in sorted(MACHINES, reverse=True)
                                                if each <= capability), None)
    if machine is None or not every or not any(operations.values()):
        return None
    asked = {unit: count / getattr(machine, unit) for unit, count in operations.items()}
    unit = max(asked, key=asked.__getitem__)
    arithmetic = sum(asked.values())

    def share(size: int) -> float:
        return arithmetic / max(arithmetic, size / machine.memory)

    return Roofline(machine.name, unit, sum(operations.values()), once, every, share(once) if once else None,
                    share(every), getattr(machine, unit) / machine.memory)
