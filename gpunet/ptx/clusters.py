"""Blocks of a cluster: their numbers, their barrier, each other's shared memory. Source: PTX ISA, 9.7.9.23, 9.7.13.4.

The shared memories of a cluster's blocks lie one after another, 2^SHIFT bytes apart. An address of another block's is
an offset in the own block's, which may be negative: one of 32 bits with a sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ptx.emit import Value, constant
from gpunet.ptx.layout import SHARED_SHIFT, Block, Warp
from gpunet.ptx.table import meaning, refuse

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering
    from gpunet.ptx.model import Instruction


def special(low: Lowering, name: str) -> Value:
    """A special register; all follow from the block's indices."""
    b, sizes = low.b, low.kernel.cluster
    if name == "%is_explicit_cluster":
        return constant("i1", low.kernel.cluster_size > 1)
    if name == "%cluster_nctarank":
        return constant("i32", low.kernel.cluster_size)
    if name == "%cluster_ctarank":
        rank = constant("i32", 0)
        for axis in (2, 1, 0):
            rank = b.add(b.mul(rank, sizes[axis]), special(low, f"%cluster_ctaid.{'xyz'[axis]}"))
        return rank
    size = constant("i32", sizes["xyz".index(name[-1])])
    if name.startswith("%cluster_nctaid"):
        return size
    whole = low.special(f"%{'n' * name.startswith('%ncluster')}ctaid.{name[-1]}")
    return b.binary("urem" if name.startswith("%cluster_ctaid") else "udiv", whole, size)


def arrive(low: Lowering) -> None:
    """barrier.cluster.arrive: the warp's threads have come, and go on."""
    b = low.b
    leader = b.load(b.at("%block", Block.LEADER), "ptr").text
    place = b.at(leader, Block.CLUSTER_ARRIVED)
    b.store(b.add(b.load(place, "i32"), b.call("ctpop", low.mask)), place)
    b.store(b.load(b.at(leader, Block.GENERATION), "i32"), b.at("%warp", Warp.GENERATION))


@meaning("mapa", modifiers="shared::cluster u32 u64")
def mapa(low: Lowering, i: Instruction) -> None:
    """The same place in the shared memory of another block of the cluster."""
    b = low.b
    rank = b.sub(low.read(i.operands[2], "u32"), special(low, "%cluster_ctarank"))
    place = low.read(i.operands[1], i.type)
    far = b.shl(b.resize(rank, place.type, True), SHARED_SHIFT)
    low.write(i.operands[0], b.add(place, far))


@meaning("getctarank", modifiers="shared::cluster u32 u64")
def getctarank(low: Lowering, i: Instruction) -> None:
    b = low.b
    place = low.read(i.operands[1], i.type)
    if i.type == "u64" and not i.has("shared::cluster"):
        place = b.sub(place, Value("%shared", "i64"))
    elif i.type == "u64":
        refuse(i)
    blocks = b.resize(b.ashr(place, SHARED_SHIFT), "i32", True)
    low.write(i.operands[0], b.add(blocks, special(low, "%cluster_ctarank")))
