"""Blocks that are there at once: of a cluster, or all of a grid.

A cluster: their numbers, their barrier, each other's shared memory. Source: PTX ISA, 9.7.9.23, 9.7.13.4.

The shared memories of a cluster's blocks lie one after another, 2^SHIFT bytes apart. An address of another block's is
an offset in the own block's, which may be negative: one of 32 bits with a sign.

A grid: cooperative groups make its barrier of plain instructions, on 8 bytes that the driver has for each launch. Their
address is in %envreg1 and 2 (cooperative_groups/details/driver_abi.h). A kernel that asks for it needs all its blocks
at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from gpunet.ptx import model
from gpunet.ptx.emit import Value, constant
from gpunet.ptx.layout import SHARED_SHIFT, Block, Launch, Warp
from gpunet.ptx.table import Unsupported, meaning, refuse

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering
    from gpunet.ptx.model import Instruction


def special(low: Lowering, name: str) -> Value:
    """A special register. Those of clusters follow from the block's indices."""
    b, sizes = low.b, low.kernel.cluster
    if name.startswith("%envreg"):
        return _of_the_driver(low, name)
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


GRID_BARRIER = "gpunet.grid_barrier"  # a variable, under the checker
_HIGH, _LOW = "%envreg1", "%envreg2"


def at_once(functions: Iterable[model.Function]) -> bool:
    """Whether the kernel needs all blocks of its grid at once."""
    return any(isinstance(operand, model.Register) and operand.name in (_HIGH, _LOW) for function in functions
               for item in function.body or () if isinstance(item, model.Instruction) for operand in item.operands)


def with_grid_barrier(module: model.Module) -> model.Module:
    """With a variable for what the checker's memory has to hold."""
    return replace(module, variables={**module.variables,
                                      GRID_BARRIER: model.Variable(GRID_BARRIER, "global", 8, 8)})


def _of_the_driver(low: Lowering, name: str) -> Value:
    b = low.b
    if name not in (_HIGH, _LOW):
        raise Unsupported(f"the special register {name} is not simulated")
    if low.kernel.checking is not None:
        address = low.kernel.checking.variable(low, GRID_BARRIER)
    else:
        address = b.value(f"ptrtoint ptr {b.at('%launch', Launch.GRID_BARRIER)} to i64", "i64")
    return b.resize(b.lshr(address, 32) if name == _HIGH else address, "i32")


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
