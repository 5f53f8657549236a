"""The checker on PTX, on blocks of a cluster that use each other's shared memory: planted mistakes are found at their
lines, and right kernels are silent."""

import numpy as np
import pytest

from gpunet import ptx
from gpunet.kernel.finding import remedy_of

# A line of shared memory in each block, [%a] the thread's place in it, and [%far] that in the other block's.
BODY = """.version 8.3
.target sm_90
.address_size 64
.visible .entry body(.param .u64 y) @CLUSTER@
{
.shared .align 4 .b8 line[128];
.reg .b32 %t, %i, %a, %v, %n, %rank, %other, %far; .reg .b64 %y, %at, %generic; .reg .pred %p;
mov.u32 %t, %tid.x; mov.u32 %n, %ctaid.x; mad.lo.u32 %i, %n, 32, %t;
ld.param.u64 %y, [y]; mul.wide.u32 %at, %i, 4; add.s64 %y, %y, %at;
mov.u32 %a, line; shl.b32 %i, %t, 2; add.u32 %a, %a, %i; mov.u32 %v, 0;
mov.u32 %rank, %cluster_ctarank; xor.b32 %other, %rank, 1; mapa.shared::cluster.u32 %far, %a, %other;
@STEPS@
st.global.u32 [%y], %v;
ret;
}
"""
WRITE, READ = "st.shared.u32 [%a], %n;", "ld.shared::cluster.u32 %v, [%far];"
ARRIVE, WAIT = "barrier.cluster.arrive;", "barrier.cluster.wait;"
RELAXED, FENCE = "barrier.cluster.arrive.relaxed;", "fence.acq_rel.cluster;"
AGAIN, FAR = "st.shared.u32 [%a], 7;", "st.shared::cluster.u32 [%far], %t;"
ADD = "atom.shared::cluster.add.u32 %i, [%far], 1;"
# By generic addresses, as cluster.map_shared_rank gives them.
MAP, GENERIC = "cvta.shared.u64 %generic, %a; mapa.u64 %generic, %generic, %other;", "ld.u32 %v, [%generic];"
GENERIC_WRITE = "st.u32 [%generic], %t;"
# Both blocks use that of rank 0.
FIRST, OWN = "mapa.shared::cluster.u32 %far, %a, 0;", "ld.shared.u32 %v, [%a];"


def check(*steps, cluster=".reqnctapercluster 2", grid=4):
    """What is found, and what the blocks have written."""
    y = np.zeros((4, 32), np.int32)
    kernel = ptx.Kernel(BODY.replace("@STEPS@", "\n".join(steps)).replace("@CLUSTER@", cluster))
    return ptx.check(kernel, grid, 32, (y,), names=["y"]), y


BEGUN, ENDED = "may come before that block has begun", "may come after that block has ended"


def races(found):
    """The lines of each race."""
    return {tuple(sorted((each.source, each.other.source))) for each in found if each.kind == "race" and each.other}


def lines(found, words):
    return [each.source for each in found if words in each.message]


@pytest.mark.parametrize("steps, values", [
    ((WRITE, ARRIVE, WAIT, READ, ARRIVE, WAIT, AGAIN), [1, 0, 3, 2]),
    ((WRITE, FENCE, RELAXED, WAIT, READ, RELAXED, WAIT), [1, 0, 3, 2]),
    ((WRITE, ARRIVE, "mov.u32 %i, 5;", WAIT, READ, ARRIVE, WAIT), [1, 0, 3, 2]),
    ((MAP, WRITE, ARRIVE, WAIT, GENERIC, ARRIVE, WAIT, GENERIC_WRITE, ARRIVE, WAIT, OWN, "sub.s32 %v, %v, %t;"),
     [0] * 4),
    (("st.shared.u32 [%a], 0;", ARRIVE, WAIT, FIRST, ADD, ARRIVE, WAIT, READ, ARRIVE, WAIT), [2] * 4),
], ids=["in turn", "fence", "apart", "generic addresses", "atomics"])
def test_nothing_is_found(steps, values):
    found, y = check(*steps)
    assert not found, "\n".join(map(str, found))
    assert (y == np.array(values)[:, None]).all()


@pytest.mark.parametrize("steps", [(WRITE,), (WRITE, RELAXED, WAIT), (ARRIVE, WRITE, WAIT)],
                         ids=["no barrier", "relaxed", "written after the arrival"])
def test_a_read_that_is_not_ordered(steps):
    found, _ = check(*steps, READ, ARRIVE, WAIT)
    assert races(found) == {(READ, WRITE)}
    race = next(each for each in found if each.kind == "race" and each.other)
    assert race.message.endswith("no barrier of the cluster lies between them") and race.array == "line"
    assert race.block != race.other.block and "cluster.sync()" in remedy_of(race)
    assert lines(found, BEGUN) == ([READ] if steps == (WRITE,) else [])
    assert {each.kind for each in found} <= {"race", "uninitialised"}


def test_a_write_over_what_others_still_read():
    assert races(check(WRITE, ARRIVE, WAIT, READ, AGAIN, ARRIVE, WAIT)[0]) == {(READ, AGAIN)}
    found, = check(WRITE, ARRIVE, WAIT, FIRST, "st.shared::cluster.u32 [%far], %n;", ARRIVE, WAIT)[0]
    assert (found.kind, found.severity, found.line, found.other.line) == ("race", "error", 16, 16)


def test_memory_of_a_block_that_has_not_begun():
    found, = check(FAR, ARRIVE, WAIT, OWN)[0]
    assert BEGUN in found.message and found.source == FAR and found.message.startswith("a write of another block's")


@pytest.mark.parametrize("steps", [(READ,), (ARRIVE, READ, WAIT)], ids=["no barrier", "arrived before"])
def test_a_block_that_leaves_early(steps):
    found, = check(WRITE, ARRIVE, WAIT, *steps)[0]
    assert (found.kind, found.source, found.count) == ("race", READ, 128)
    assert ENDED in found.message and found.array == "line" and found.index == 0


def test_an_index_beyond_the_other_blocks_array():
    beyond = READ.replace("%far", "%far+4")
    found, = check(WRITE, ARRIVE, WAIT, beyond, ARRIVE, WAIT)[0]
    assert (found.kind, found.source, found.element, found.thread) == ("out of bounds", beyond, "line[32]", (31, 0, 0))
    assert found.message == "a read of 4 bytes outside the array of another block"


@pytest.mark.parametrize("way", ["add", "sub"])
def test_the_rank_of_a_block_that_is_not_there(way):
    rank = f"{way}.u32 %other, %rank, 1; mapa.shared::cluster.u32 %far, %a, %other;"
    found, = check(rank, WRITE, ARRIVE, WAIT, READ, ARRIVE, WAIT)[0]
    assert (found.kind, found.source, found.block) == ("out of bounds", READ, (way == "add", 0, 0))
    assert "of a block that the cluster does not have" in found.message


def test_what_the_other_block_has_not_written():
    found, = check(ARRIVE, WAIT, READ, ARRIVE, WAIT)[0]
    assert (found.kind, found.source) == ("uninitialised", READ)
    assert found.message == "a read of 4 bytes of another block, which nothing has written"


def test_the_barrier_of_a_block_that_has_no_cluster():
    """It orders the block's own threads."""
    steps = "st.shared.u32 [%a], %n;", ARRIVE, WAIT, "xor.b32 %far, %a, 64;", "ld.shared.u32 %v, [%far];"
    assert not check(*steps, cluster="")[0]
    assert races(check(*steps[:1], *steps[3:], cluster="")[0])



def test_blocks_of_clusters_in_two_dimensions():
    """Findings call them as the grid does."""
    rank = "add.u32 %other, %rank, 1; mapa.shared::cluster.u32 %far, %a, %other;"
    found, _ = check(rank, WRITE, ARRIVE, WAIT, READ, ARRIVE, WAIT, cluster=".reqnctapercluster 2, 2", grid=(4, 2))
    assert [each.block for each in found if each.kind == "out of bounds"] == [(1, 1, 0)]
