"""Each planted bug is found, with its kind, at its line; and nothing is found that is not there.

The bugs stand in planted/*.cu, grouped by what rule of CUDA they break. `// BUG kind, kind ...` marks the line; the
first kind must be found there, and further ones may be. `// OTHER` is where the other party of a race or a barrier
stands, `// ALSO kind` is such a line at which something may be found that follows from the bug.
"""

import functools
import gc

import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet import sim
from tests.checker.harness import HERE, build, check, marks, module, row, same


@functools.cache  # keeps the array, whose address is all that the map has
def _matrix():
    return xp.ones((16, 96), "float32")


def tiles():
    """A tensor map whose boxes have 16 rows and 32 columns."""
    return sim.tensor_map(_matrix(), (16, 32))


def rows_one_of_them_freed():
    """The addresses of two arrays."""
    freed = xp.ones(32, "float32")
    table = xp.asarray(np.array([_matrix().data.ptr, freed.data.ptr], np.uint64))
    del freed
    gc.collect()
    return table


TABLE = {
    "races_shared.cu": [
        row("reads_a_neighbour_too_early", 1, 64, "f32[64]", "f32[64]=normal"),
        row("overwrites_what_others_still_read", 1, 64, "f32[64]", "f32[4,64]=normal", "i32=4"),
        row("two_threads_write_one_element", 1, 64, "f32[64]", "f32[64]=normal"),
        row("everyone_writes_one_flag", 1, 64, "i32[1]", "f32[64]=normal"),
        row("largest_without_atomics", 1, 64, "f32[1]", "f32[64]=arange"),
        row("tree_without_barriers", 1, 128, "f32[1]", "f32[128]=normal"),
        row("warp_synchronous_sum", 1, 64, "f32[1]", "f32[64]=normal"),
        row("warp_synchronous_sum_volatile", 1, 64, "f32[1]", "f32[64]=normal"),
        row("scan_reads_and_writes_at_once", 1, 64, "f32[64]", "f32[64]=normal"),
        row("sort_without_a_last_barrier", 1, 64, "f32[64]", "f32[64]=normal"),
        row("two_sums_with_one_buffer", 1, 64, "f32[64]", "f32[64]=normal"),
        row("broadcasts_through_one_variable", 1, 64, "f32[64]", "f32[4]=normal", "i32=4"),
        row("histogram_without_atomics", 1, 64, "i32[8]", "i32[64]=randint(8)"),
        row("sets_bits_of_one_word", 1, 32, "u32[1]", "f32[32]=normal"),
        row("reads_a_counter_that_others_add_to", 1, 64, "i32[64]"),
        row("zeroes_a_counter_without_barrier", 1, 64, "i32[1]"),
        row("double_buffer_off_by_one", 1, 64, "f32[64]", "f32[4,64]=normal", "i32=4"),
        row("overlapping_parts_of_dynamic_memory", 1, 64, "f32[64]", "f32[64]=normal", shared=64 * 8),
        row("transposes_a_tile_in_place", 1, (8, 8), "f32[8,8]", "f32[8,8]=normal"),
        row("no_syncwarp_between_lanes", 1, 32, "f32[32]", "f32[32]=normal"),
        row("syncwarp_of_half_a_warp", 1, 32, "f32[32]", "f32[32]=normal"),
        row("takes_a_shuffle_for_a_barrier", 1, 32, "f32[32]", "f32[32]=normal"),
        row("right_for_one_warp", 1, 64, "f32[64]", "f32[64]=normal"),
        row("right_for_one_row_of_threads", 1, (32, 2), "f32[2,32]", "f32[2,32]=normal"),
        row("named_barrier_of_too_few_warps", 1, 96, "f32[96]", "f32[96]=normal"),
    ],
    "races_global.cu": [
        row("everyone_writes_one_element", 1, 64, "i32[1]"),
        row("blocks_add_without_atomics", 8, 1, "f32[1]=0", "f32[8]=normal"),
        row("histogram_without_atomics", 2, 32, "i32[8]=0", "i32[64]=randint(8)"),
        row("scatters_to_one_place_twice", 1, 64, "f32[64]", "f32[64]=normal", "i32[64]=randint(64)"),
        row("compacts_with_a_plain_counter", 1, 64, "f32[64]", "i32[1]=0", "f32[64]=normal"),
        row("rows_overlap", 4, 10, "f32[4,10]", "f32[4,10]=normal", "i32=10"),
        row("stride_of_one_block", 2, 32, "f32[200]=normal", "i32=200"),
        row("stencil_in_place", 2, 64, "f32[100]=normal", "i32=100"),
        row("shift", 2, 64, "f32[100]=normal", same(0), "i32=100"),
        row("scratch_without_barrier", 1, 64, "f32[64]", "f32[64]", "f32[64]=normal"),
        row("reads_the_block_before", 4, 1, "f32[4]", "f32[4]=normal"),
        row("takes_syncthreads_for_a_grid_barrier", 4, 32, "f32[128]", "f32[128]", "f32[128]=normal", "i32=128"),
        row("reads_a_counter_that_others_add_to", 4, 1, "i32[4]", "i32[1]=0"),
        row("last_block_without_fence", 4, 32, "f32[1]", "f32[4]", "u32[1]=0", "f32[4]=normal"),
        row("last_block_with_a_fence_for_the_block", 4, 32, "f32[1]", "f32[4]", "u32[1]=0", "f32[4]=normal"),
        row("last_block_with_a_late_fence", 4, 32, "f32[1]", "f32[4]", "u32[1]=0", "f32[4]=normal"),
        row("last_block_without_barrier_before_the_fence", 4, 64, "f32[1]", "f32[256]", "u32[1]=0", "f32[256]=normal"),
        row("counts_blocks_without_atomics", 4, 1, "f32[1]", "f32[4]", "u32[1]=0", "f32[4]=normal"),
        row("publishes_without_fence", 2, 1, "f32[1]", "f32[1]", "i32[1]=0"),
        row("publishes_by_a_plain_flag", 2, 1, "f32[1]", "f32[1]", "i32[1]=0"),
        row("lock_without_fences", 4, 1, "i32[1]=0", "i32[1]=0"),
        row("atomics_of_block_scope", 4, 1, "i32[1]=0"),
        row("guess_of_another_place", 1, 32, "i32[32]=0", "i32[1]=0", "i32[32]=-1"),
    ],
    "variables.cu": [
        row("sums_into_a_variable", 1, 64, "i32[1]", "i32[64]=randint(9)"),
        row("adds_to_a_table", 1, 64, "f32[64]=normal"),
        row("reads_behind_a_table", 1, 16, "f32[16]"),
        row("writes_before_a_table", 1, 4, "i32[4,2]"),
        row("last_block_without_a_fence", 4, 32, "f32[1]", "f32[4]", "f32[4]=normal"),
        row("unlocks_without_a_fence", 4, 1, "f32[1]=0", "f32[4]=normal"),
    ],
    "blocks.cu": [
        row("flag_without_a_fence", 1, 64, "i32[1]", "i32[1]=3"),
        row("counts_in_a_volatile_variable", 1, 64, "i32[64]"),
        row("announces_a_histogram_without_a_fence", 3, 32, "i32[12]", "i32[4]=0", "i32[1]=0", "i32[32]=randint(4)"),
        row("fences_its_own_writes_alone", 3, 32, "i32[96]", "i32[96]", "i32[1]=0", "i32[32]=arange"),
        row("no_second_barrier_of_the_grid", 3, 32, "i32[96]", "i32[96]=arange"),
        row("a_block_leaves_before_the_barrier", 3, 1, "i32[3]", "i32[3]=arange"),
        row("passes_the_turn_relaxed", 3, 32, "f32[1]=0", "i32[1]=0", "f32[3]=normal"),
        row("takes_the_lock_of_another_bin", 4, 32, "f32[8]=0", "i32[8]=0", "i32[128]=randint(8)"),
        row("moves_with_one_lock_of_two", 4, 32, "f32[8]=0", "i32[8]=0", "i32[128]=randint(8)", "i32[128]=randint(8)"),
        row("reads_the_sum_without_the_lock", 4, 32, "f32[4]", "f32[1]=0", "i32[1]=0"),
        row("keeps_the_lock_at_a_barrier", 1, 64, "i32[1]=0", "i32[1]=0"),
    ],
    "barriers.cu": [
        row("one_barrier_in_each_branch", 1, 64, "f32[64]"),
        row("barrier_in_half_the_block", 1, 64, "f32[64]"),
        row("returns_before_the_barrier", 1, 64, "f32[50]", "f32[50]=normal", "i32=50"),
        row("a_barrier_for_each_element_of_a_thread", 1, 64, "f32[64]", "f32[100]=normal", "i32=100"),
        row("barrier_in_a_branch_on_data", 1, 64, "f32[64]", "f32[64]=normal"),
        row("counting_barrier_in_a_branch", 1, 64, "i32[64]", "f32[64]=normal"),
        row("group_barrier_in_a_branch", 1, 64, "f32[64]"),
        row("half_a_warp_waits_for_the_block", 1, 32, "f32[32]"),
        row("shuffle_while_others_wait_for_the_block", 1, 32, "f32[32]", "f32[32]=normal"),
        row("named_barriers_in_crossed_order", 1, 64, "f32[64]"),
        row("named_barrier_with_two_counts", 1, 64, "f32[64]"),
        row("named_barrier_of_half_a_warp", 1, 32, "f32[32]"),
        row("named_barrier_of_more_than_the_block", 1, 64, "f32[64]"),
        row("consumer_without_a_producer", 1, 64, "f32[128]", "f32[96]=normal", "i32=96"),
    ],
    "collectives.cu": [
        row("mask_without_the_caller", 1, 32, "f32[32]", "f32[32]=normal"),
        row("syncwarp_without_the_caller", 1, 32, "f32[32]"),
        row("reads_a_lane_outside_the_mask", 1, 32, "f32[32]", "f32[32]=normal"),
        row("one_shuffle_in_each_branch", 1, 32, "f32[32]", "f32[32]=normal"),
        row("sums_after_an_early_return", 1, 32, "f32[1]", "f32[20]=normal", "i32=20"),
        row("full_mask_in_a_branch", 1, 32, "f32[32]", "f32[32]=normal"),
        row("sums_a_warp_that_is_not_full", 1, 48, "f32[48]", "f32[48]=normal"),
        row("lanes_with_different_masks", 1, 32, "f32[32]", "f32[32]=normal"),
        row("ballot_in_a_loop_of_different_lengths", 1, 32, "u32[32]", "f32[50]=normal", "i32=50"),
        row("width_that_is_no_power_of_two", 1, 32, "f32[32]", "f32[32]=normal"),
        row("reduce_in_one_branch_and_vote_in_the_other", 1, 32, "i32[32]", "i32[32]=arange"),
        row("tile_collective_by_half_a_tile", 1, 32, "f32[32]", "f32[32]=normal"),
        row("sums_with_the_active_mask", 1, 32, "i32[1]", "i32[32]=randint(10)"),
        row("takes_the_active_mask_for_a_barrier", 1, 32, "i32[32]", "i32[32]=arange"),
    ],
    "bounds.cu": [
        row("no_guard_at_the_end", 2, 64, "f32[100]", "f32[100]=normal", "i32=100"),
        row("writes_one_past_the_end", 2, 64, "f32[100]", "i32=100"),
        row("reads_one_past_the_end", 1, 64, "f32[64]", "f32[100]=normal", "i32=100"),
        row("reads_before_the_start", 2, 64, "f32[100]", "f32[100]=normal", "i32=100"),
        row("unsigned_index_below_zero", 2, 64, "f32[100]", "f32[100]=normal", "u32=100"),
        row("reads_past_the_end_and_drops_the_value", 2, 50, "f32[100]", "f32[100]=normal", "i32=100"),
        row("halo_on_both_sides", 2, 64, "f32[128]", "f32[128]=normal"),
        row("transposes_with_the_wrong_pitch", (2, 1), (16, 16), "f32[30,12]", "f32[12,30]=normal", "i32=12", "i32=30"),
        row("vector_load_over_the_end", 1, 32, "f32[104]", "f32[101]=normal", "i32=101"),
        row("index_overflows", 1, 32, "f32[32]", "f32[100]=normal", "i32=50000", "i32=50000"),
        row("counts_a_key_that_has_no_bin", 2, 32, "i32[8]=0", "i32[64]=randint(9)", "i32=64"),
        row("reads_a_null_pointer", 1, 32, "f32[32]", "f32[32]=normal", "null"),
        row("null_pointers_and_more", 1, 32, "f32[32]", "f32[32]=normal", "null"),
        row("writes_to_a_wild_pointer", 1, 32, "f32[32]"),
        row("follows_a_table_of_pointers", 2, 32, "f32[64]", rows_one_of_them_freed),
        row("writes_past_shared", 1, 64, "f32[64]", "f32[64]=normal"),
        row("reads_past_shared", 1, 64, "f32[64]", "f32[64]=normal"),
        row("reads_before_shared", 1, 64, "f32[64]", "f32[64]=normal"),
        row("row_beyond_a_shared_matrix", 1, (8, 8), "f32[8,8]", "f32[8,8]=normal"),
        row("more_dynamic_memory_than_launched", 1, 64, "f32[64]", "f32[64]=normal", shared=64 * 2),
        row("shared_bins_for_fewer_keys", 1, 64, "i32[8]=0", "i32[64]=randint(9)"),
        row("column_beyond_a_row", 1, (8, 8), "f32[8,8]", "f32[8,8]=normal"),
        row("local_array_too_short", 1, 1, "f32[4]", "f32[6]=normal", "i32=6"),
        row("constant_table_too_short", 1, 32, "f32[32]", "f32[36]=normal", "i32=5"),
        row("copies_bytes_over_the_end", 1, 8, "f32[8]", "f32[60]=normal"),
        row("copies_over_the_end", 1, 32, "f32[31,4]", "f32[31,4]=normal", "i32=31"),
        row("copies_past_shared", 1, 32, "f32[32,4]", "f32[32,4]=normal"),
        row("matrices_beyond_shared", 1, 32, "u32[32,4]", "u32[128]=arange"),
    ],
    "uninitialised.cu": [
        row("adds_to_an_output", 1, 64, "f32[64]", "f32[64]=normal"),
        row("counts_into_an_output", 1, 64, "i32[8]", "i32[64]=randint(8)"),
        row("largest_into_an_output", 1, 64, "i32[1]", "i32[64]=randint(100)"),
        row("never_writes_shared", 1, 64, "f32[64]"),
        row("shared_counter_without_a_zero", 1, 64, "i32[1]"),
        row("sums_a_tile_that_is_not_full", 1, 64, "f32[1]", "f32[50]=normal", "i32=50"),
        row("sums_of_more_warps_than_there_are", 1, 96, "f32[1]", "f32[96]=normal"),
        row("halo_is_not_filled", 1, 64, "f32[64]", "f32[64]=normal"),
        row("reads_shared_and_drops_the_value", 1, 64, "f32[64]", "f32[50]=normal", "i32=50"),
        row("sums_the_padding_of_rows", 1, (8, 8), "f32[1]", "f32[8,8]=normal"),
        row("dynamic_memory_is_not_zero", 1, 16, "i32[16]", shared=128),
        row("the_first_block_fills_the_table", 2, 32, "f32[64]"),
        row("copies_an_output_into_shared", 1, 32, "f32[128]"),
        row("matrices_of_an_unfilled_tile", 1, 32, "u32[32,4]", "u32[96]=arange"),
    ],
    "copies.cu": [
        row("never_waits", 1, 32, "f32[32]", "f32[128]=normal"),
        row("waits_after_the_read", 1, 32, "f32[32]", "f32[128]=normal"),
        row("waits_without_a_commit", 1, 32, "f32[32]", "f32[128]=normal"),
        row("waits_for_all_but_the_one_it_reads", 1, 32, "f32[32]", "f32[256]=normal"),
        row("pipeline_that_stops_waiting_at_the_end", 1, 32, "f32[32]", "f32[4,128]=normal", "i32=4"),
        row("no_barrier_after_the_wait", 1, 64, "f32[64]", "f32[256]=normal"),
        row("barrier_before_the_wait", 1, 64, "f32[64]", "f32[256]=normal"),
        row("refills_what_others_still_read", 1, 64, "f32[64]", "f32[4,256]=normal", "i32=4"),
        row("pipeline_with_a_stage_too_few", 1, 64, "f32[64]", "f32[4,256]=normal", "i32=4"),
        row("writes_where_a_copy_is_under_way", 1, 32, "f32[32]", "f32[128]=normal"),
        row("two_copies_to_one_place", 1, 32, "f32[32]", "f32[256]=normal"),
        row("ends_with_copies_under_way", 1, 32, "f32[32]", "f32[128]=normal", "i32=3"),
    ],
    "hopper.cu": [
        row("no_wait_for_the_tile", 1, 32, "f32[32]", tiles),
        row("waits_for_the_wrong_parity", 1, 32, "f32[32]", tiles),
        row("parity_does_not_change", 1, 32, "f32[32]", tiles, "i32=3"),
        row("no_barrier_after_the_init", 1, 64, "f32[64]", tiles),
        row("mbarrier_without_init", 1, 32, "f32[32]"),
        row("announces_too_many_bytes", 1, 32, "f32[32]", tiles),
        row("announces_too_few_bytes", 1, 32, "f32[32]", tiles),
        row("waits_for_arrivals_that_do_not_come", 1, 64, "f32[64]", "f32[64]=normal"),
        row("arrives_for_lanes_that_still_write", 1, 64, "f32[64]", "f32[64]=normal"),
        row("loads_over_a_tile_that_others_read", 1, 64, "f32[64]", tiles, "i32=3"),
        row("box_larger_than_the_tile", 1, 32, "f32[32]", tiles),
        row("tile_at_an_unaligned_address", 1, 32, "f32[32]", tiles),
        row("ends_before_the_tile_has_come", 1, 32, "f32[32]", tiles),
        row("product_before_the_barrier", 1, 128, "f32[512]", "f16[1024]=normal"),
        row("operand_that_is_too_small", 1, 128, "f32[512]", "f16[512]=normal"),
        row("next_operand_over_the_last", 1, 128, "f32[512]", "f16[1025]=normal"),
    ],
    "alignment.cu": [
        row("vector_load_from_the_second_element", 1, 16, "f32[16]", "f32[68]=normal"),
        row("vector_store_to_an_odd_element", 1, 16, "f32[34]", "f32[16]=normal"),
        row("pairs_from_rows_of_odd_pitch", 2, 7, "f32[14]", "f32[2,15]=normal", "i32=15"),
        row("doubles_behind_an_odd_number_of_floats", 1, 16, "f64[16]", "i32=5", shared=200),
        row("half_pairs_from_an_odd_element", 1, 16, "f32[16]", "f16[34]=normal"),
        row("atomic_on_a_packed_field", 1, 16, "u8[130]=0"),
        row("reads_a_float_from_bytes", 1, 16, "f32[16]", "u8[100]=randint(50)"),
        row("copies_from_an_unaligned_row", 1, (4, 2), "f32[8]", "f32[2,18]=normal", "i32=18"),
        row("matrices_from_an_unaligned_row", 1, 32, "u32[32,4]", "u32[144]=arange"),
    ],
    "endings.cu": [
        row("asserts", 1, 8, "i32[8]", "i32[8]=arange"),
        row("traps", 1, 8, "i32[8]", "i32[8]=arange"),
        row("steps_over_the_end_of_the_loop", 1, 1, "f32[2]", "u32=7", timeout=0.5),
        row("waits_for_one_block_too_many", 4, 1, "u32[1]=0"),
        row("locks_in_crossed_order", 2, 1, "i32[2]=0", "i32[1]=0"),
        row("keeps_the_lock", 3, 32, "i32[1]=0", "i32[1]=0"),
        row("backs_off_for_ever", 1, 1, "i32[1]=0"),
        row("waits_for_a_flag_that_nobody_sets", 1, 1, "i32[1]=0", "i32[1]"),
        row("recurses_without_end", 1, 4, "i32[4]", "i32[4]=0"),
        row("divides_by_what_may_be_zero", 1, 4, "i32[4]", "i32[4]=arange"),
    ],
    "overflow.cu": [
        row("strides_too_far", 1, 32, "f32[32]", "f32[100]=normal", "i32=1431655766", "i32=100"),
        row("steps_over_the_largest_number", 1, 32, "u8[40]", "i32=2147483600", "i32=2147483640"),
        row("multiplies_two_ints", 1, 32, "f32[32]", "f32[32]=normal", "i32=65536", "i32=65536"),
        row("adds_up_to_too_much", 1, 1, "i32[1]", "i32[4]=1000000000"),
    ],
    "launches.cu": [
        row("scale", 1, 32, "f32[32]", "f32[32]=normal", "f32=2"),
        row("scale", 1, 32, "f32[32]", "f32[32]=normal", "f32=2", "i32=32", "i32=1"),
        row("scale", 1, 32, "f32[32]", "f32[32]=normal", 2.0, "i32=32"),  # CuPy would pass eight bytes
        row("scale", 1, 32, "f32[32]", "f32[32]=normal", "f32=2", "i64=32"),
        row("scale", 1, 32, "f32[32]", "f32[32]=normal", "i32=32", "f32=2"),
        row("scale", 1, 32, "f32[32]", "f32=1", "f32=2", "i32=32"),
        row("scale", 1, 32, "f32[32]", "f32[32]=normal", "f32[1]=2", "i32=32"),
        row("scale", 1, 32, "f32[32]", 1 << 45, "f32=2", "i32=32"),
        row("at_most_128_threads", 1, 256, "f32[256]"),
        row("any_number_of_threads", 1, 2048, "f32[1]"),
        row("any_number_of_threads", (1, 70000), 1, "f32[1]"),
        row("dynamic_memory", 1, 32, "f32[32]", shared=300_000),
        row("much_static_memory", 1, 32, "f32[32]"),
    ],
}


# The kernels of a file take seconds to build.
QUICK = {"races_shared.cu", "uninitialised.cu", "barriers.cu", "alignment.cu", "overflow.cu", "launches.cu"}
CASES = [pytest.param(file, case, id=f"{file}-{case.kernel}", marks=() if file in QUICK else pytest.mark.slow)
         for file, cases in TABLE.items() for case in cases]


@pytest.mark.parametrize("file, case", CASES)
def test_the_bug_is_found_at_its_line(file, case):
    path = HERE / "planted" / file
    findings = check(module(path).get_function(case.kernel), case, build(case))
    assert not (wrong := complaints(findings, marks(path)[case.kernel])), "\n".join([*wrong, *map(str, findings)])


def complaints(findings, expected):
    """What is missing among the findings, and what is too much."""
    wrong = [f"not found: {kinds[0]} at line {line}" for line, kinds in expected.bugs.items()
             if not any(fits(finding, line, kinds[0], expected) for finding in findings)]
    allowed = expected.bugs | expected.also
    return wrong + [f"not there: {finding}" for finding in findings
                    if not any(fits(finding, line, kind, expected) for line in allowed for kind in allowed[line])]


def fits(finding, line, kind, expected):
    """Whether a finding is the one that a mark tells of. Either party of a race or of a barrier may be named first;
    what is wrong with the launch itself has no line."""
    if finding.kind != kind:
        return False
    if kind in ("argument", "limit") and finding.line is None:
        return True
    other = finding.other.line if finding.other else None
    parties = {line, *expected.bugs, *expected.others}
    return (line in (finding.line, other) or kind in ("divergent barrier", "mask", "deadlock")) and \
        finding.line in parties and (other is None or other in parties)


def test_every_mark_is_in_the_table():
    for file, cases in TABLE.items():
        assert list(marks(HERE / "planted" / file)) == list(dict.fromkeys(case.kernel for case in cases)), file
    assert sum(map(len, TABLE.values())) >= 60
