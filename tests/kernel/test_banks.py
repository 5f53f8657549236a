"""Shared memory without bank conflicts and global memory by whole sectors, in the matrix products: computed from the
addresses that the kernels' own code gives for every thread."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gpunet.kernel import Kernel
from gpunet.ops.conv_tensor_launch import LARGE, SMALL
from gpunet.ops.matmul_launch import FLOAT_TILES, WIDE_TILE
from tests.kernel.banks import WARP, sectors, turns

FOLDER = Path(__file__).parent / "banks"


def ran(cuda, file, name, template, block, *arguments, outputs):
    arrays = [cuda.empty((block,), dtype) for dtype in outputs]
    Kernel(FOLDER / file, name).on(cuda, *template)(1, block, *arrays, *arguments)
    return [array.get().tolist() for array in arrays]


def warps(addresses):
    return [addresses[first:first + WARP] for first in range(0, len(addresses), WARP)]


def test_the_counts():
    assert turns([4 * lane for lane in range(32)], 4) == turns([0] * 32, 4) == 1
    assert turns([16 * lane for lane in range(32)], 16) == 1
    assert turns([128 * (lane % 2) for lane in range(32)], 4) == 2
    assert turns([64 * lane for lane in range(32)], 16) == 4
    assert sectors([4 * lane for lane in range(32)], 4) == 4 and sectors([100 * lane for lane in range(32)], 4) == 32


@pytest.mark.parametrize("k_inner", [True, False])
@pytest.mark.parametrize("dtype", ["__half", "float"])
@pytest.mark.parametrize("tile", [128, pytest.param(64, marks=pytest.mark.slow)])
def test_tensor_cores(cuda, dtype, k_inner, tile):
    of = "true" if k_inner else "false"
    target, source = ran(cuda, "tensor.cu", "copies", (dtype, of, str(tile), "128"), 128, 4096, 4096,
                         outputs=(np.int32, np.int64))
    for shared, memory in zip(warps(target), warps(source), strict=True):
        assert turns(shared, 16) == 1
        assert sectors(memory, 16) == 16
    assert len(set(target)) == 128
    for left, origin in (("true", 0), ("false", 32)):
        (base,) = ran(cuda, "tensor.cu", "reads", (dtype, of, str(tile), left), 32, origin, outputs=(np.int32,))
        assert turns(base, 4 if dtype == "float" and not k_inner else 16) == 1


@pytest.mark.parametrize("k_inner, vector", [(True, 1), (False, 1), (False, 4)])
@pytest.mark.parametrize("tile", [WIDE_TILE, *FLOAT_TILES], ids=str)
def test_single_precision(cuda, tile, k_inner, vector):
    """Turning copies, too: an operand whose k runs along memory is stored by columns."""
    threads = 32 * tile[3] * tile[4] * tile[5]
    for size in sorted(set(tile[:2])):
        template = ("true" if k_inner else "false", *map(str, (vector, size, tile[2], threads)))
        target, source = ran(cuda, "single.cu", "copies", template, threads, 4096, 4096, outputs=(np.int32, np.int64))
        for shared, memory in zip(warps(target), warps(source), strict=True):
            assert turns(shared, 4 * vector) == 1
            assert sectors(memory, 4 * vector) == 4 * vector
        assert len(set(target)) == threads


@pytest.mark.parametrize("tile_m, tile_n, slice_, warps_m, warps_n, warps_k, _", [WIDE_TILE, *FLOAT_TILES])
def test_single_precision_reads(tile_m, tile_n, slice_, warps_m, warps_n, warps_k, _):
    """Groups of four neighbouring results, as lanes read them: one word serves all lanes that ask for it."""
    lanes_m = tile_m // warps_m // 8
    lanes_n = 32 // lanes_m
    assert turns([16 * (lane // lanes_n) for lane in range(32)], 16) == 1
    assert turns([16 * (lane % lanes_n) for lane in range(32)], 16) == 1


@pytest.mark.parametrize("per_row", [4, 8])
def test_results_of_half_types_pass_through_shared_memory(per_row):
    """As `place` of matmul_tensor: pairs are written by rows of 8 lanes, chunks are read by rows of memory."""
    def place(row, chunk):
        return (row * per_row + (chunk ^ (row >> 1 & 3 if per_row == 4 else row & 7))) * 16

    for chunk in range(per_row):
        assert turns([place(lane // 4, chunk) + lane % 4 * 4 for lane in range(32)], 4) == 1
    assert turns([place(lane // per_row, lane % per_row) for lane in range(32)], 16) == 1


@pytest.mark.parametrize("dtype", ["__half", "float"])
@pytest.mark.parametrize("tile", [LARGE, pytest.param(SMALL, marks=pytest.mark.slow)], ids=str)
def test_gathered_elements_of_convolutions(cuda, dtype, tile):
    """By chunks along k, by lanes that are neighbouring positions; and by elements, by lanes that are neighbours in k:
    half types share words, which is no conflict. Slices are read as those of products are."""
    threads, size = 32 * tile[2] * tile[3], 2 if dtype == "__half" else 4
    rows, everything, singly = threads // (64 // size), {}, set()
    for i in range(tile[0] // rows):
        chunks, elements = ran(cuda, "conv.cu", "stores", (dtype, *map(str, tile[:4])), threads, i % 2, i,
                               outputs=(np.int32, np.int32))
        for chunk, element in zip(warps(chunks), warps(elements), strict=True):
            assert turns(chunk, 16) == turns([each // 4 * 4 for each in element], 4) == 1
        everything[i % 2] = set(chunks)
        singly |= set(elements)
    assert everything[0] | everything[1] == set(range(0, tile[1] * 64, 16))
    assert singly == set(range(0, tile[0] * 64, size))


def test_results_by_wgmma_pass_through_shared_memory(cuda):
    """By matrices or by pairs of float in, by chunks of whole rows out."""
    everything = set()
    for step in range(4):
        named, stored, taken = ran(cuda, "hopper.cu", "results", (), 32, step, step, outputs=(np.int32,) * 3)
        assert turns(named, 16) == turns(stored, 8) == turns(taken, 16) == 1
        assert sectors([place // 128 * 4096 + lane % 8 * 16 for lane, place in enumerate(taken)], 16) == 16
        everything |= set(named)
    assert everything == set(range(0, 2048, 16))


def test_turned_operands_and_results_by_wgmma(cuda):
    """Single elements in, by chunks out; operands by single elements, which are those of the lane's row of the tile and
    of its k."""
    everything, places = set(), set()
    for warp, i, h, e in product((0, 3), range(4), range(2), range(2)):
        stored, taken, read, row = ran(cuda, "hopper.cu", "turned", (), 32, warp, i, h, e, outputs=(np.int32,) * 4)
        assert turns(stored, 4) == turns(taken, 16) == turns(read, 4) == 1
        everything |= set(stored)
        places |= set(taken)
        for lane, (place, number) in enumerate(zip(read, row, strict=True)):
            k = i * 8 + lane % 4 + e * 4
            assert place == number // 32 * 4096 + k * 128 + (number % 32 // 4 ^ k % 8) * 16 + number % 4 * 4
    assert everything == set(range(0, 2048, 4)) and places == set(range(0, 2048, 16))
