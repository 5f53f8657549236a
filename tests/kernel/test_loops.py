"""Loops of programs: on graphs drawn at random, by networkx's dominators; and of machine code as nvdisasm writes it."""

import random

import pytest

from gpunet.kernel import sass
from gpunet.kernel.loops import natural_loops


@pytest.mark.parametrize("seed", range(50))
def test_a_loop_is_what_its_head_dominates_and_leads_back_to_it(seed):
    networkx = pytest.importorskip("networkx")
    draw = random.Random(seed)
    count = draw.randint(2, 25)
    successors = [[draw.randrange(count) for _ in range(draw.choice((0, 1, 1, 2)))] for _ in range(count)]
    graph = networkx.DiGraph((a, b) for a, after in enumerate(successors) for b in after)
    graph.add_node(0)
    expected = []
    for head in range(count):
        if head not in graph:
            continue
        reached = set(networkx.descendants(graph, 0)) | {0}
        without = graph.subgraph(set(graph) - {head})
        past = set(networkx.descendants(without, 0)) | {0} if head != 0 else set()  # reached without the head
        ends = [each for each in graph.predecessors(head) if each in reached and each not in past]
        if head in reached and ends:
            leading = {each for end in ends if end != head for each in {end} | networkx.ancestors(without, end)}
            expected.append(frozenset({head} | leading & reached))
    assert natural_loops(successors) == expected


def test_what_is_not_reached_is_in_no_loop():
    assert natural_loops([[], [1], [3], [2]]) == []
    assert natural_loops([[], [1], [3], [2]], (0, 2)) == [frozenset({2, 3})]


TEXT = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_2:
        /*0010*/                   MUFU.RCP R2, R3 ;
        /*0020*/              @!P0 BRA `(.L_x_1) ;
.L_x_0:
        /*0030*/                   FFMA R2, R2, R2, R2 ;
        /*0040*/               @P1 BRA `(.L_x_2) ;
        /*0050*/                   I2F R4, R5 ;
        /*0060*/                   BRA P2, `(.L_x_3) ;
.L_x_4:
        /*0070*/                   EXIT ;
.L_x_1:
        /*0080*/                   CALL.REL.NOINC `($slow) ;
        /*0090*/                   BRA `(.L_x_0) ;
.L_x_3:
        /*00a0*/                   F2I R4, R5 ;
        /*00b0*/                   BRA `(.L_x_4) ;
$slow:
        /*00c0*/                   FMUL R2, R2, R3 ;
        /*00d0*/                   RET.REL.NODEC R6 `(kernel) ;
.L_x_5:
        /*00e0*/                   BRA `(.L_x_5) ;
        /*00f0*/                   NOP ;
"""


def test_a_rare_case_behind_the_end_belongs_to_the_loop_that_it_returns_to_and_makes_none_of_its_own():
    code = sass._code(TEXT)
    assert [sorted(loop) for loop in code.loops] == [[1, 2, 3, 4, 8, 9]]
    assert code.loop_counts() == [{"MUFU.RCP": 1, "BRA": 3, "FFMA": 1, "CALL.REL.NOINC": 1}]
