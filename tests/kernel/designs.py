"""The instructions that each kernel was designed around, as its machine code must show them.

A row stands for a kernel's instance. What holds for all, test_sass.py checks without a row: no local memory, no
atomics but the compare-and-swap of kernels that record errors, and in the loops of kernels for narrow types neither
arithmetic in double nor conversions between kinds of numbers (F2F, F2I, I2F, I2FP, I2I, FRND), unless `slow_loops` says
why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from budgets import (
    CONV_LARGE,
    CONV_SMALL,
    LARGE_TILE,
    MEDIUM_TILE,
    SMALL_TILE,
    TALL,
    TENSOR_LARGE,
    TENSOR_SMALL,
    WIDE,
    WIDE_TILE,
)


@dataclass(frozen=True)
class Design:
    """`loop`: instructions that one loop has, all of them, at least so many of each. `whole`: that the kernel has.
    `most`: at most so many. `share`: the least part that an instruction is of the loop that has most of it.
    FFMA2, two products, counts as two FFMA; `paired`: the least share on sm_100, which has it, where it is another."""

    loop: dict[str, int] = field(default_factory=dict)
    whole: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    share: tuple[str, float] | None = None
    paired: float = 0.0
    errors: bool = False  # it records them
    slow_loops: str = ""


def _matmul():
    """The whole slice is one run of FFMA without branches, fed by 16-byte reads; the copies pass no registers."""
    for tile, share, paired, products, reads in (
            (WIDE_TILE, 0.88, 1.55, 1024, 48), (LARGE_TILE, 0.83, 1.39, 512, 32), (MEDIUM_TILE, 0.74, 1.18, 512, 48),
            (SMALL_TILE, 0.56, 0.78, 128, 12)):
        stores = {} if tile == SMALL_TILE else {"STG.E.128": 8}  # warps that share k add up in shared memory
        # Of the bias, and of what a result is added to, by 4 elements or by 1; none of operands.
        loads = {WIDE_TILE: 321, LARGE_TILE: 161, MEDIUM_TILE: 81, SMALL_TILE: 7}[tile]
        cases = ("false", "false", 4), ("false", "true", 1), ("true", "false", 4), ("true", "true", 4)
        for a_t, b_t, v in (*cases, ("true", "true", 1)) if tile == WIDE_TILE else cases:
            copies = {"LDGSTS.E.BYPASS.128" if v == 4 else "LDGSTS.E": 1}
            yield f"matmul_float<{a_t},{b_t},{v},{tile}>", Design(
                {"FFMA": products, "LDS.128": reads, "BAR.SYNC": 1, **copies}, stores,
                {"FFMA": products + 100, "BAR.SYNC": 4, "LDG": loads, "STS.64": 3}, ("FFMA", share), paired)
    for b_t, tile, products in (("false", SMALL_TILE, 128), ("true", MEDIUM_TILE, 512)):
        yield f"matmul_pair<{b_t},4,{tile}>", Design({"FFMA": products, "LDGSTS.E.BYPASS.128": 1},
                                                     {"FFMA": 2 * products}, share=("FFMA", 0.5))
    for dtype, multiply in (("double,double", "DFMA"), ("__nv_bfloat16,float", "FFMA")):
        yield f"matmul_any<{dtype},false,true>", Design({multiply: 64, "LDS.128": 8}, share=(multiply, 0.7))
    yield "matmul_join<float>", Design({"LDG.E": 8})


def _matmul_tensor():
    """A slice is one run of products, a fragment read for eight (large) or four of them, and nothing passes registers
    on its way to shared memory; results leave by 16 bytes, TF32's by 8. What they are added to comes by 16 bytes, four
    at a time."""
    halves = ("__nv_bfloat16", "HMMA.16816.F32.BF16"), ("__half", "HMMA.16816.F32")
    for (dtype, kind), a_t, b_t, tile, products, fragments, share in (
            (halves[0], "false", "false", TENSOR_LARGE, 64, 16, 0.38),
            (halves[0], "true", "true", TENSOR_LARGE, 64, 16, 0.38),
            (halves[1], "false", "true", TENSOR_SMALL, 16, 8, 0.2),
            (halves[0], "true", "false", TENSOR_SMALL, 16, 8, 0.19)):
        yield f"matmul_tensor<{dtype},{a_t},{b_t},true,{tile}>", Design(
            {kind: products, "LDSM.16": fragments // 2, "LDGSTS.E.BYPASS": 8 if tile == TENSOR_LARGE else 4},
            {"LDSM.16": fragments, "STG.E.128": 16 if tile == TENSOR_LARGE else 4}, {"LDG.E.128": 4},
            ("HMMA", share))
    yield f"matmul_tensor_pair<__nv_bfloat16,false,true,{TENSOR_SMALL}>", Design(
        {"HMMA.16816.F32.BF16": 16, "LDSM.16": 4, "LDGSTS.E.BYPASS": 4}, {"HMMA.16816.F32.BF16": 32, "STG.E.128": 8})
    yield f"matmul_tensor<float,false,true,true,{TENSOR_SMALL}>", Design(
        {"HMMA.1688.F32.TF32": 16, "LDSM.16": 4}, {"STG.E.64": 8}, share=("HMMA", 0.1))
    for a_t, b_t in (("false", "true"), ("true", "false")):  # three times as many for the same fragments
        yield f"matmul_tf32x3<{a_t},{b_t},true,{TENSOR_SMALL}>", Design(
            {"HMMA.1688.F32.TF32": 48, "LDGSTS.E.BYPASS": 4}, {"STG.E.64": 8}, {"LDG.E.128": 0}, ("HMMA", 0.17))


def _matmul_hopper():
    """A slice is four products that are started together, a wait for those before, and little else: their operands'
    places are uniform registers. A slice comes by one copy for each 64 rows of a turned operand, else by one for each
    operand. Results pass by matrices to shared memory, float's by pairs, turned ones singly, and leave by 16 bytes, as
    what they are added to comes. A turned operand of float is read by 4 bytes."""
    for (dtype, kind), a_t, b_t, tile_n in (
            (("__nv_bfloat16", "BF16"), "false", "true", 256), (("__nv_bfloat16", "BF16"), "true", "false", 256),
            (("__half", ""), "false", "false", 128), (("__half", ""), "true", "true", 128)):
        multiply = ".".join(filter(None, (f"HGMMA.64x{tile_n}x16", "F32", kind)))
        copies = (2 if a_t == "true" else 1) + (tile_n // 64 if b_t == "false" else 1)
        strips = tile_n // 64
        yield f"matmul_hopper<{dtype},{a_t},{b_t},{tile_n}>", Design(
            {"HGMMA": 4, "WARPGROUP.DEPBAR.LE": 1, "SYNCS.PHASECHK.TRANS64.TRYWAIT": 1},
            {multiply: 4, "UTMALDG.4D": copies, "USETMAXREG": 2, "STSM.16.M88.4": 4 * strips,
             "STG.E.128": 4 * strips, "LDG.E.128": 4 * strips},
            {"HGMMA": 4, "UTMALDG": copies, "WARPGROUP.DEPBAR": 2, "HMMA": 0, "BAR.SYNC": 1, "LDGSTS": 0},
            ("HGMMA", 0.07), slow_loops="a tile's place, once a tile")
    for a_t, tile_n in product((False, True), (256, 128)):
        strips, copies, reads = tile_n // 32, 5 if a_t else 2, 16 if a_t else 0
        yield f"matmul_hopper<float,{str(a_t).lower()},true,{tile_n}>", Design(
            {"HGMMA": 4, "WARPGROUP.DEPBAR.LE": 1, "SYNCS.PHASECHK.TRANS64.TRYWAIT": 1, "LDS": reads},
            {f"HGMMA.64x{tile_n}x8.F32.TF32": 4, "UTMALDG.4D": copies, "USETMAXREG": 2,
             "STS" if a_t else "STS.64": tile_n // 2, "STG.E.128": 4 * strips, "LDG.E.128": 4 * strips},
            {"HGMMA": 4, "UTMALDG": copies, "WARPGROUP.DEPBAR": 2, "HMMA": 0, "BAR.SYNC": 1, "LDGSTS": 0, "STSM": 0},
            ("HGMMA", 0.04 if a_t else 0.07), slow_loops="a tile's place, once a tile")


def _matmul_hopper_pair():
    """Of the right operand each block copies half, to both."""
    for a_t, b_t in (("false", "true"), ("true", "false")):
        shared, own = 1 if b_t == "true" else 2, 2 if a_t == "true" else 1
        yield f"matmul_hopper_pair<__nv_bfloat16,{a_t},{b_t},256>", Design(
            {"HGMMA": 4, "WARPGROUP.DEPBAR.LE": 1},
            {"HGMMA.64x256x16.F32.BF16": 4, "UTMALDG.4D.MULTICAST": shared, "UCGABAR_ARV": 2, "UCGABAR_WAIT": 2,
             "STG.E.128": 16}, {"HGMMA": 4, "UTMALDG": shared + own, "BAR.SYNC": 0},
            slow_loops="a tile's place, once a tile")
    for a_t, copies in (("false", 2), ("true", 5)):
        yield f"matmul_hopper_pair<float,{a_t},true,256>", Design(
            {"HGMMA": 4, "WARPGROUP.DEPBAR.LE": 1},
            {"HGMMA.64x256x8.F32.TF32": 4, "UTMALDG.4D.MULTICAST": 1, "UCGABAR_ARV": 2, "UCGABAR_WAIT": 2,
             "STG.E.128": 32}, {"HGMMA": 4, "UTMALDG": copies, "BAR.SYNC": 0},
            slow_loops="a tile's place, once a tile")


def _attention():
    """Scores are 16 a thread and step of features, results 4 * W; all operands are read by 16 bytes."""
    width = 4
    yield f"attention<float,{width}>", Design({"FFMA": 256 + 64 * width, "LDS.128": 56, "MUFU.EX2": 20,
                                               "SHFL.BFLY": 16}, share=("FFMA", 0.2))
    yield f"attention_by_query<float,{width}>", Design({"FFMA": 512 + 64 * width, "LDS.128": 80})
    yield f"attention_by_key<float,{width}>", Design({"FFMA": 512 + 128 * width, "LDS.128": 100})


def _attention_tensor():
    """What a tile takes: products for scores and results, and a fragment read for two of them; scores
    pass from one product to the next in registers."""
    for dtype, kind, head in (("__nv_bfloat16", "HMMA.16816.F32.BF16", 64), ("__half", "HMMA.16816.F32", 32)):
        products = head // 16 * 8  # of a warp's 16 rows with 64
        yield f"attention_tensor<{dtype},{head},64>", Design(
            {kind: 2 * products, "LDSM.16.M88.4": products // 2, "LDSM.16.MT88.4": products // 2, "MUFU.EX2": 32,
             "LDGSTS.E.BYPASS.128": head // 8}, {"STG.E.128": head // 16})
        yield f"attention_tensor_by_query<{dtype},{head},64>", Design({kind: 3 * products, "MUFU.EX2": 32})
        yield f"attention_tensor_by_key<{dtype},{head},64>", Design({kind: 4 * products, "MUFU.EX2": 32})


def _bias_act():
    for dtype, v in (("float,float", 4), ("double,double", 2), ("__half,float", 8), ("__nv_bfloat16,float", 8)):
        under_way = 1 if v == 8 else 2  # loads, before the first is used
        yield f"bias_relu<{dtype},{v}>", Design({"LDG.E.128": under_way, "STG.E.128": under_way})
        yield f"bias_relu_backward<{dtype},{v}>", Design({"LDG.E.128": 8, "STG.E.128": 4}, {"LDS": 8})
        yield f"column_sum<{dtype},{v}>", Design({"LDG.E.128": 4}, {"LDS": 8})
        yield f"column_sum_finish<{dtype}>", Design({"LDG.E": 8})


def _softmax_ce():
    for (dtype, pack), (lanes, items) in product((("float,float", 4), ("__half,float", 8)),
                                                 ((8, 8), (32, 8), (32, 32), (0, 32))):
        yield f"softmax_ce<{dtype},{pack},{lanes},{items}>", Design(
            whole={"LDG.E.128": items // pack, "STG.E.128": items // pack, "SHFL.BFLY": 9, "MUFU.EX2": items},
            most={"MUFU.EX2": items + 2}, errors=True,  # an exponential for each element, and to join the warps
            slow_loops="the number of classes, once a row")
    for dtype, load in (("float,float", "LDG.E.64"), ("__half,float", "LDG.E")):  # 10 classes: 2 for each of 5 lanes
        yield f"softmax_ce<{dtype},2,8,2>", Design({load: 1, "SHFL.BFLY": 6, "MUFU.EX2": 2}, most={"MUFU.EX2": 4},
                                                   errors=True, slow_loops="the number of classes, once a row")
    yield "softmax_ce<double,double,2,0,8>", Design(whole={"LDG.E.128": 4, "STG.E.128": 4, "SHFL.BFLY": 18},
                                                    errors=True)
    for dtype, pack in (("float,float", 4), ("__half,float", 8)):
        for threads in (1024, 512):
            yield f"softmax_ce_long<{dtype},{pack},{threads}>", Design(
                {"LDG.E.128": 2, "MUFU.EX2": 2 * pack}, {"LDG.E.128": 3, "STG.E.128": 1, "SHFL.BFLY": 15}, errors=True,
                slow_loops="how many elements have been added up")
    yield "count_valid<float>", Design({"LDG.E.64": 16}, {"SHFL.BFLY": 10}, slow_loops="the quotient at the end")
    yield "scaled_sum<float,float>", Design({"LDG.E": 16}, {"SHFL.BFLY": 10})


def _softmax_ce_cluster():
    """As softmax_ce_long, and what the blocks tell each other: two barriers, three numbers."""
    for dtype, pack in (("float", 4), ("__half", 8)):
        for blocks in (2, 8):
            yield f"softmax_ce_cluster<{dtype},{pack},{blocks}>", Design(
                {"LDG.E.128": 2, "STS.128": 2, "MUFU.EX2": 2 * pack},
                {"LDG.E.128": 3, "LDS.128": 1, "STG.E.128": 1, "UCGABAR_ARV": 2, "UCGABAR_WAIT": 2}, errors=True,
                slow_loops="how many elements have been added up")


def _softmax_cluster():
    """Two loads of each operand are under way; the second pass reads shared memory."""
    for dtype, pack in (("float", 4), ("__half", 8)):
        for blocks in (1, 8):
            joined = {"UCGABAR_ARV": 2, "UCGABAR_WAIT": 2}
            yield f"softmax_cluster<{dtype},{pack},{blocks}>", Design(
                {"LDG.E.128": 2, "STS.128": 2, "MUFU.EX2": 2 * pack}, {"LDS.128": 1, "STG.E.128": 1, **joined})
            yield f"softmax_cluster_grad<{dtype},{pack},{blocks}>", Design(
                {"LDG.E.128": 4, "STS.128": 4}, {"LDS.128": 2, "STG.E.128": 1, **joined})


def _softmax():
    for dtype, pack in (("float,float", 4), ("__half,float", 8)):
        loads = 8 // pack
        for lanes in (32, 0):
            yield f"softmax_rows<{dtype},{pack},{lanes}>", Design(
                whole={"LDG.E.128": loads, "STG.E.128": loads, "SHFL.BFLY": 10, "MUFU.EX2": 8})
            yield f"softmax_rows_grad<{dtype},{pack},{lanes}>", Design(
                whole={"LDG.E.128": 2 * loads, "STG.E.128": loads, "SHFL.BFLY": 5})
        yield f"softmax_long<{dtype},{pack}>", Design({"LDG.E.128": 1, "STG.E.128": 1}, {"LDG.E.128": 2})
        yield f"softmax_long_grad<{dtype},{pack}>", Design({"LDG.E.128": 2, "STG.E.128": 1}, {"LDG.E.128": 4})
        yield f"softmax_columns<{dtype}>", Design({"LDG.E" if pack == 4 else "LDG.E.U16": 4}, {"LDS": 7})
        yield f"softmax_columns_grad<{dtype}>", Design({"LDG.E" if pack == 4 else "LDG.E.U16": 8}, {"LDS": 7})


def _optim():
    """Each array is read and written once, by 16-byte accesses; no powers and no double numbers but in `prepare`."""
    for rule, states in (("Sgd", 1), ("Adam", 3), ("RmsProp", 3), ("NAdam", 2)):
        for dtype, wide, accesses in (("float", "float", 1), ("double", "double", 1), ("__half", "float", 2)):
            if dtype != "double" or rule in ("Sgd", "Adam"):
                yield f"update<{dtype},{wide},{rule}<{wide}>,72>", Design(
                    {"LDG.E.128": 2 + states * accesses, "STG.E.128": 1 + states * accesses})
    yield "prepare", Design(whole={"DFMA": 8})
    yield "prepare_each<72>", Design({"DFMA": 8}, slow_loops="a thread for each parameter computes its powers")


def _pointwise():
    """One 16-byte access for each operand and for the result; broadcasting takes quotients by products."""
    for dtype in ("float", "__half"):
        kind = f"{dtype},float"
        for function in ("Relu", "Gelu"):
            yield f"unary<{kind},{function}>", Design({"LDG.E.128": 1, "STG.E.128": 1})
        for function in ("Plus", "ReluGrad", "GeluGrad"):
            yield f"binary<{kind},{function}>", Design({"LDG.E.128": 2, "STG.E.128": 1})
        yield f"formula<{kind},LeakyRelu>", Design({"LDG.E.128": 1, "STG.E.128": 1})
        yield f"formula<{kind},EluGrad>", Design({"LDG.E.128": 2, "STG.E.128": 1})
        yield f"formula<{kind},BceGrad>", Design({"LDG.E.128": 3, "STG.E.128": 1})
        yield f"compare<{kind},Less>", Design({"LDG.E.128": 2})
        yield f"where<{dtype}>", Design({"LDG.E.128": 2, "STG.E.128": 1})
        yield f"clamp<{kind}>", Design({"LDG.E.128": 1, "STG.E.128": 1})
        yield f"clamp_grad<{kind}>", Design({"LDG.E.128": 2, "STG.E.128": 1})
    yield "binary<double,double,Plus>", Design({"LDG.E.64": 2, "STG.E.64": 1})
    yield "binary_spread<float,float,Plus>", Design({"LDG.E": 2, "IMAD.HI.U32": 4})
    yield "where_spread<float>", Design({"LDG.E": 2, "IMAD.HI.U32": 6})
    yield "cast<__half,float,float>", Design({"LDG.E.128": 1, "STG.E.64": 1})
    yield "cast<float,__half,float>", Design({"LDG.E.64": 1, "STG.E.128": 1})
    yield "arange<long long,long long>", Design({"STG.E.64": 1})
    yield "copy_strided<unsigned int>", Design({"LDG.E": 1, "STG.E": 1, "IMAD.HI.U32": 5})
    for name, loads in (("unary_strided<float,float,Silu>", 1), ("binary_strided<float,float,Times>", 2),
                        ("compare_strided<float,float,Less>", 2), ("where_strided<float>", 2),
                        ("cast_strided<__half,float,float>", 1)):
        yield name, Design({"LDG.E": loads, "IMAD.HI.U32": 5})
    yield "binary<int,int,And>", Design({"LDG.E.128": 2, "STG.E.128": 1})
    yield "compare<long long,long long,Less>", Design({"LDG.E.64": 2})


def _gradients():
    for dtype, wide in (("float", "float"), ("double", "double"), ("__half", "float")):
        kind = f"{dtype},{wide},192"
        yield f"norm_pieces<{kind}>", Design({"LDG.E.128": 1}, {"SHFL.BFLY": 5})
        for name in ("clip_pieces", "scale_pieces", "unscale_pieces"):
            yield f"{name}<{kind}>", Design({"LDG.E.128": 1, "STG.E.128": 1})
    yield "norm_finish<float>", Design({"LDG.E": 1}, {"SHFL.BFLY": 5})
    yield "move_loss_scale", Design(whole={"LDG.E": 3, "STG.E": 2})


def _depthwise():
    """A filter's products on what is loaded, and nothing between: no division, no shared memory."""
    for k in (3, 5):
        yield f"depthwise<float,float,{k}>", Design({"FFMA": k * k, "LDG.E": k * k}, most={"BAR.SYNC": 0})
        yield f"depthwise_input<float,float,{k},2>", Design({"FFMA": k * k, "LDG.E": k * k}, most={"BAR.SYNC": 0})
        yield f"depthwise_weight<float,float,{k}>", Design({"FFMA": k * k, "LDG.E": k * k + 1})


def _depthwise_channels():
    """Windows that slide: P + K - 1 accesses of 16 bytes for a row of P K products of them. No division, and one
    barrier once the filters are there; by the weight those of joining the sums."""
    for kind, pack, results, products in (("float,float", 4, 8, 4), ("__half,float", 8, 4, 8)):
        for k in (3, 5, 7):
            yield f"depthwise_channels<{kind},{pack},{k},true>", Design(
                {"FFMA": k * results * products, "LDG.E.128": k + results - 1, "LDS.128": k * products // 4},
                {"STG.E.128": results}, {"BAR.SYNC": 1})
            yield f"depthwise_channels_weight<{kind},{pack},{k},true>", Design(
                {"FFMA": 4 * k * products, "LDG.E.128": k + 7}, most={"BAR.SYNC": 2 * k})
        yield f"depthwise_channels<{kind},{pack},3,false>", Design({"FFMA": 6 * products, "LDG.E.128": 6},
                                                                  most={"BAR.SYNC": 1})
        yield f"depthwise_channels_input<{kind},{pack},3>", Design({"FFMA": 3 * products, "LDG.E.128": 3,
                                                                   "LDS.128": 3 * products // 4}, {"STG.E.128": 1})


def _reduce():
    """Several loads are under way at once."""
    for lanes in (32, 0):
        for kind in ("float,float,Sum,4", "float,float,Squares,4", "bool,long long,Sum,16"):
            yield f"reduce_runs<{kind},{lanes}>", Design({"LDG.E.128": 1})
    for function in ("Sum", "Product"):
        yield f"reduce_columns<float,float,{function}>", Design({"LDG.E": 4})
    yield "reduce_finish<float,float,Sum>", Design({"LDG.E": 8})


def _conv():
    """A slice is one run of products, fed by 16-byte reads; the image is read by single elements."""
    for rows, columns, share in ((64, 128, 0.6), (32, 128, 0.46), (64, 64, 0.52)):
        products = rows * columns // 16
        reads = 16 * (max(1, rows // 64) + columns // 64) - (16 if rows < 64 else 0)
        yield f"conv_gather<float,float,{rows},{columns}>", Design({"FFMA": products, "LDS.128": reads},
                                                                   share=("FFMA", share))
    yield "conv_weight<float,float,64,64>", Design({"FFMA": 256, "LDS.128": 32}, share=("FFMA", 0.5))


def _conv_tensor():
    """A slice is 32 products of a warp (half of them of a small tile), fed by 12 (8) fragments. An element of the image
    is one load and a sixteenth of a 16-byte store, or, where k is the positions, one load and one store. The other
    operand passes no registers but where k does not run along its memory by 16 bytes. No divisions, slow conversions
    or barriers beside the slice's one."""
    bfloat16, half, tf32 = "HMMA.16816.F32.BF16", "HMMA.16816.F32", "HMMA.1688.F32.TF32"
    for dtype, kind, tile, products, fragments, share in (
            ("__nv_bfloat16", bfloat16, CONV_LARGE, 32, 12, 0.12), ("__half", half, CONV_SMALL, 16, 8, 0.07)):
        yield f"conv_tensor<{dtype},true,{tile}>", Design(
            {kind: products, "LDSM.16": fragments, "LDGSTS.E.BYPASS": 2, "LDG.E.U16": 16, "LDS.128": 8, "STS.128": 2},
            {"STG.E.128": 8 if tile == CONV_LARGE else 4}, {"BAR.SYNC": 3}, ("HMMA", share))
        yield f"conv_tensor<{dtype},false,{tile}>", Design(
            {kind: products, "LDSM.16": fragments, "LDG.E.U16": 32, "LDS.128": 8, "STS.128": 2, "STS.U16": 16},
            most={"BAR.SYNC": 3, "LDGSTS": 0}, share=("HMMA", 0.6 * share))
        yield f"conv_tensor_weight<{dtype},true,{tile}>", Design(
            {kind: products, "LDSM.16": fragments, "LDGSTS.E.BYPASS": 2, "LDG.E.U16": 16, "STS.U16": 16},
            most={"BAR.SYNC": 3}, share=("HMMA", 0.85 * share))
    yield f"conv_tensor<float,true,{CONV_LARGE}>", Design(
        {tf32: 32, "LDSM.16": 12, "LDGSTS.E.BYPASS": 2, "LDG.E": 8, "STS.128": 2}, {"STG.E.64": 32})
    yield f"conv_tensor_weight<float,false,{CONV_LARGE}>", Design({tf32: 32, "LDSM.16": 12, "LDG.E": 16, "STS": 16})


def _conv_channels():
    """A slice is one run of products, as of matmul_tensor, and nothing passes registers on its way to shared memory:
    what is gathered comes through L1, the other operand not. By the input the weight is read turned; by the weight both
    operands are, and lanes tell each other where positions lie. One barrier a slice; results leave by 16 bytes, TF32's
    and float sums by 8."""
    bfloat16, half, tf32 = "HMMA.16816.F32.BF16", "HMMA.16816.F32", "HMMA.1688.F32.TF32"
    for dtype, kind, tile, products, fragments, near, far, share in (
            ("__nv_bfloat16", bfloat16, TENSOR_LARGE, 64, 8, 4, 4, 0.32),
            ("__nv_bfloat16", bfloat16, TALL, 64, 8, 8, 4, 0.28),
            ("__half", half, TENSOR_SMALL, 16, 4, 2, 2, 0.13)):
        most = {"LDGSTS": 3 * (near + far), "BAR.SYNC": 3}
        yield f"conv_channels<{dtype},false,{tile}>", Design(
            {kind: products, "LDSM.16.M88": fragments, "LDGSTS.E": near + far, "LDGSTS.E.BYPASS": far},
            {"STG.E.128": 4}, most, ("HMMA", share))
        yield f"conv_channels<{dtype},true,{tile}>", Design(
            {kind: products, "LDSM.16.M88": fragments // 2, "LDSM.16.MT88": fragments // 2, "LDGSTS.E": near + far,
             "LDGSTS.E.BYPASS": far}, {"STG.E.128": 4}, most, ("HMMA", 0.65 * share))
    for dtype, kind, tile, products, near, far, share in (
            ("__nv_bfloat16", bfloat16, TENSOR_LARGE, 64, 4, 4, 0.23),
            ("__nv_bfloat16", bfloat16, WIDE, 64, 8, 4, 0.2),
            ("__half", half, TENSOR_SMALL, 16, 2, 2, 0.09)):
        yield f"conv_channels_weight<{dtype},{tile}>", Design(
            {kind: products, "LDSM.16.MT88": products // 4, "LDGSTS.E": near + far, "LDGSTS.E.BYPASS": far,
             "SHFL.IDX": 2 * near}, {"STG.E.64": products}, {"LDGSTS": 3 * (near + far), "BAR.SYNC": 2},
            ("HMMA", share))
    yield f"conv_channels<float,false,{TENSOR_LARGE}>", Design(
        {tf32: 64, "LDSM.16.M88": 8, "LDGSTS.E": 8}, {"STG.E.64": 64}, share=("HMMA", 0.15))
    yield f"conv_channels<float,true,{TENSOR_LARGE}>", Design({tf32: 64, "LDS": 16, "LDGSTS.E": 8}, {"STG.E.64": 64},
                                                                share=("HMMA", 0.12))
    yield f"conv_channels_weight<float,{TENSOR_LARGE}>", Design({tf32: 64, "LDS": 64, "LDGSTS.E": 8}, {"STG.E.64": 64},
                                                                  share=("HMMA", 0.12))


def _conv_channels_any():
    """A slice is one run of products, fed by 16-byte reads: 16 for 256 products. Whole chunks, and single numbers of
    float, pass no registers on their way to shared memory; half types do. Results leave by 16 bytes."""
    tile, of_weight = "128,64,4,1,3", "64,128,2,2,3"
    for kind, copies, share in (("float,float,true", {"LDGSTS.E.128": 6}, 0.81),
                                ("float,float,false", {"LDGSTS.E": 24}, 0.68),
                                ("__half,float,false", {"LDG.E.U16": 24, "STS": 24}, 0.65)):
        loop, most = {"FFMA": 1024, "LDS.128": 64, **copies}, {"BAR.SYNC": 2}
        stores = {"STG.E.64" if "half" in kind else "STG.E.128": 16}
        yield f"conv_channels_any<{kind},false,{tile}>", Design(loop, stores, most, ("FFMA", share))
        yield f"conv_channels_any<{kind},true,{tile}>", Design(loop, stores, most, ("FFMA", share - 0.06))
        yield f"conv_channels_any_weight<{kind},{of_weight}>", Design(loop, {"STG.E.128": 16}, {"BAR.SYNC": 1},
                                                                      ("FFMA", share - 0.01))
    for turned in ("false", "true"):
        yield f"conv_channels_any<float,float,true,{turned},64,32,2,1,4>", Design(
            {"FFMA": 512, "LDS.128": 48, "LDGSTS.E.128": 6}, share=("FFMA", 0.7))
    yield "conv_channels_any<double,double,false,false,64,32,2,1,4>", Design({"DFMA": 256, "LDGSTS.E.64": 12},
                                                                              share=("DFMA", 0.5))


def _norm():
    for dtype, pack, weight in (("float,float", 4, "float"), ("__half,float", 8, "float"),
                                ("__half,float", 8, "__half")):
        kind, loads = f"{dtype},{weight},{pack}", 8 // pack  # of a row for each thread
        weights = 2 * 8 * (4 if weight == "float" else 2) // 16  # loads of weight and bias
        yield f"normalize_rows<{kind},32>", Design(whole={"LDG.E.128": loads + weights, "STG.E.128": loads,
                                                          "SHFL.BFLY": 10})
        yield f"normalize_rows<{kind},0>", Design(whole={"LDG.E.128": 3 * loads + weights, "STG.E.128": 2 * loads})
        for lanes in (32, 0):
            yield f"normalize_rows_grad<{kind},{lanes}>", Design({"LDG.E.128": 2 * loads + weights // 2,
                                                                  "STG.E.128": loads})
        yield f"normalize_long_grad<{kind}>", Design({"LDG.E.128": 2, "STG.E.128": 1}, {"LDG.E.128": 4})
        # Of x and, where one follows, of the residual.
        yield f"normalize_groups<{kind}>", Design({"LDG.E.128": 2, "STG.E.128": 1})
        # Of x, g and a ReLU's result; of what dx is added to; and the residual's gradient.
        yield f"normalize_channels_grad<{kind}>", Design({"LDG.E.128": 4, "STG.E.128": 2})
        yield f"normalize_groups_grad<{kind}>", Design({"LDG.E.128": 2, "STG.E.128": 1})
        yield "normalize_columns_sums<float,float>", Design({"LDG.E": 16})
        yield "normalize_rows_finish<float,float>", Design({"LDG.E": 8})
        yield "move_statistics<float>", Design(whole={"LDG.E": 4, "STG.E": 2})
        if weight != "float" or dtype == "float,float":
            yield f"normalize_run_sums<{dtype},{pack}>", Design({"LDG.E.128": 2}, {"SHFL.BFLY": 10})


def _norm_channels():
    """Several rows are under way; what threads and ranges know is joined once, outside of the loops."""
    for kind, pack, weight in (("float,float", 4, "float"), ("__half,float", 8, "float"),
                               ("__half,float", 8, "__half")):
        yield f"columns_moments<{kind},{pack}>", Design({"LDG.E.128": 2 if pack == 8 else 4})
        yield f"columns_sums<{kind},{pack}>", Design({"LDG.E.128": 4})
        yield f"normalize_columns<{kind},{weight},{pack}>", Design({"LDG.E.128": 4, "STG.E.128": 4})
        yield f"normalize_columns_grad<{kind},{weight},{pack}>", Design({"LDG.E.128": 3 if pack == 8 else 6,
                                                                         "STG.E.128": 1 if pack == 8 else 2})


def _norm_groups():
    """The same for groups of columns."""
    for kind, pack, weight in (("float,float", 4, "float"), ("__half,float", 8, "float")):
        yield f"groups_moments<{kind},{pack}>", Design({"LDG.E.128": 2 if pack == 8 else 4})
        yield f"groups_sums<{kind},{weight},{pack}>", Design({"LDG.E.128": 4})
        yield f"normalize_column_groups<{kind},{weight},{pack}>", Design({"LDG.E.128": 4, "STG.E.128": 4})
        yield f"normalize_column_groups_grad<{kind},{weight},{pack}>", Design(
            {"LDG.E.128": 2 if pack == 8 else 4, "STG.E.128": 1 if pack == 8 else 2})


def _scan():
    """Four packs are under way, or four elements; of a recurrence twice as many."""
    for dtype, pack in (("float", 4), ("__half", 8)):
        kind = f"{dtype},{dtype},float"
        for lanes, reverse in ((32, "false"), (0, "true")):
            yield f"scan_rows<{kind},Sum,{pack},{lanes},{reverse}>", Design({"LDG.E.128": 4, "STG.E.128": 4})
        yield f"scan_columns<{kind},Sum,false>", Design({"LDG.E": 4, "STG.E": 4})
    kind = "float,float,float"
    yield f"scan_rows<{kind},LogSumExp,4,32,false>", Design({"LDG.E.128": 4, "STG.E.128": 4, "MUFU.EX2": 40},
                                                            slow_loops="a logarithm's exponent")
    yield f"scan_rows<{kind},Recurrence,1,0,true>", Design({"LDG.E": 8, "STG.E": 4, "BAR.SYNC": 2})
    yield f"scan_columns<{kind},Recurrence,true>", Design({"LDG.E": 8, "STG.E": 4, "BAR.SYNC": 2})
    yield "scan_rows<long long,long long,long long,Sum,1,0,false>", Design({"LDG.E.64": 4, "STG.E.64": 4})


def _random():
    yield "random_bits", Design({"STG.E.128": 1})
    yield "uniform<float>", Design({"STG.E.128": 1}, slow_loops="whole numbers become floats")
    for dtype in ("float", "double"):
        yield f"normal<{dtype}>", Design({"STG.E.128": 1}, slow_loops="in double, to be the same on every device")
    yield "dropout<float,float,4>", Design({"LDG.E.128": 1, "STG.E.128": 1})
    yield "dropout<__half,float,4>", Design({"LDG.E.64": 1, "STG.E.64": 1})
    yield "dropout_add<float,float,4>", Design({"LDG.E.128": 2, "STG.E.128": 1})
    yield "dropout_add<__half,float,4>", Design({"LDG.E.64": 2, "STG.E.64": 1})
    yield "dropout_backward<float,float,4>", Design({"LDG.E.128": 4, "STG.E.128": 4})
    yield "dropout_backward<__half,float,8>", Design({"LDG.E.128": 1, "STG.E.128": 1})


def _scatter():
    division = "an index divided by the number of columns"
    yield "reduce_pieces<float,float,Sum>", Design({"LDG.E": 8}, slow_loops=division)
    yield "join_pieces<float,float,Sum>", Design({"LDG.E": 2}, slow_loops=division)
    yield "store_last<float>", Design({"LDG.E": 5, "STG.E": 1}, slow_loops=division)
    yield "take_rows<uint4,long long>", Design(whole={"LDG.E.128": 1, "STG.E.128": 1}, errors=True)
    yield "sum_few_rows<float,float,long long>", Design({"LDG.E": 4, "VOTE": 1}, {"STG.E": 4}, errors=True)
    yield "check_index<long long>", Design({"LDG.E.64": 1}, errors=True)


def _extremes():
    """Each element is read once, by 16 bytes where memory follows the dimension."""
    for dtype, pack in (("float", 4), ("__half", 8)):
        for lanes in (32, 0):
            yield f"best_runs<{dtype},unsigned int,{pack},{lanes}>", Design({"LDG.E.128": 1}, {"SHFL.BFLY": 10})
    yield "best_columns<float,unsigned int>", Design({"LDG.E": 4})
    yield "best_finish<float,unsigned int>", Design({"LDG.E": 16})


def _sort():
    """Pairs in shared memory by 8 bytes; digits are counted and ranked by one MATCH for 32 elements."""
    for tile in (512, 2048):
        yield f"sort_rows<unsigned int,{tile}>", Design({"LDS.64": 2, "STS.64": 2}, {"BAR.SYNC": 3})
    yield "select_rows<unsigned int>", Design({"LDG.E": 1, "MATCH.ANY": 1}, {"LDS.64": 2})
    yield "radix_counts<unsigned int>", Design(whole={"LDG.E": 16, "MATCH.ANY": 16})
    yield "radix_starts", Design({"LDG.E": 8, "STG.E": 8}, {"SHFL.UP": 5})
    yield "radix_place<unsigned int>", Design(whole={"LDG.E": 16, "MATCH.ANY": 16, "STG.E": 32})
    for name in ("take_along", "put_along"):
        yield f"{name}<unsigned int,long long>", Design(whole={"LDG.E.64": 1, "IMAD.HI.U32": 2, "STG.E": 1},
                                                        errors=True)


def _pool():
    """Elements are read by all who need them, and each result has one writer."""
    for dtype, load in (("float,float", "LDG.E"), ("__half,float", "LDG.E.U16")):
        share = "a window's mean is divided by a whole number"
        yield f"max_pool<{dtype}>", Design({load: 1}, {"STG.E": 2})
        yield f"max_pool_grad<{dtype}>", Design({load: 3}, {"STG.E": 1}, {"STG.E": 1})
        yield f"avg_pool<{dtype}>", Design({load: 1}, {"STG.E": 1}, {"STG.E": 1})
        yield f"avg_pool_grad<{dtype}>", Design({load: 1}, {"STG.E": 1}, {"STG.E": 1}, slow_loops=share)


def _pool_channels():
    for kind in ("float,float,4", "__half,float,8"):
        share = "a window's mean is divided by a whole number"
        stores = {"STG.E.128": 1}
        yield f"max_pool_channels<{kind}>", Design({"LDG.E.128": 1}, stores)
        yield f"max_pool_channels_grad<{kind}>", Design({"LDG.E.128": 2}, stores | {"LDG.E.128": 3})
        yield f"avg_pool_channels<{kind}>", Design({"LDG.E.128": 1}, stores)
        yield f"avg_pool_channels_grad<{kind}>", Design({"LDG.E.128": 1}, stores, slow_loops=share)


def _recurrent():
    """The weight stays in registers: a step reads nothing for it, and 16 bytes of h for 4 products of each gate."""
    for cell, gates in ((0, 4), (1, 3), (2, 1)):
        for depth in (16, 24):
            yield f"sequence_forward<float,{cell},{depth}>", Design(
                {"FFMA": gates * depth, "LDS.128": depth // 4, "SHFL.BFLY": 2 * gates, "BAR.SYNC": 1})
            yield f"sequence_backward<float,{cell},{depth}>", Design(
                {"FFMA": gates * depth, "LDS.128": gates * depth // 4, "SHFL.BFLY": 2})
        yield f"sequence_step<float,{cell}>", Design(whole={"LDG.E": 2 * gates + 1}, most={"BAR.SYNC": 0})
        yield f"sequence_step_grad<float,{cell}>", Design(whole={"LDG.E": 4, "STG.E": gates + 1}, most={"BAR.SYNC": 0})


# (file, options) -> instance -> design
DESIGNS = {
    ("matmul.cu", ("-fmad=false",)): dict(_matmul()),
    ("attention.cu", ()): dict(_attention()),
    ("attention_tensor.cu", ()): dict(_attention_tensor()),
    ("matmul_hopper.cu", ("-fmad=false",)): dict(_matmul_hopper()),
    ("matmul_hopper_pair.cu", ("-fmad=false",)): dict(_matmul_hopper_pair()),
    ("matmul_tensor.cu", ("-fmad=false",)): dict(_matmul_tensor()),
    ("bias_act.cu", ()): dict(_bias_act()),
    ("softmax.cu", ()): dict(_softmax()),
    ("softmax_ce.cu", ()): dict(_softmax_ce()),
    ("softmax_ce_cluster.cu", ()): dict(_softmax_ce_cluster()),
    ("softmax_cluster.cu", ()): dict(_softmax_cluster()),
    ("conv.cu", ("-fmad=false",)): dict(_conv()),
    ("conv_channels.cu", ("-fmad=false",)): dict(_conv_channels()),
    ("conv_tensor.cu", ("-fmad=false",)): dict(_conv_tensor()),
    ("conv_channels_any.cu", ("-fmad=false",)): dict(_conv_channels_any()),
    ("depthwise.cu", ("-fmad=false",)): dict(_depthwise()),
    ("depthwise_channels.cu", ("-fmad=false",)): dict(_depthwise_channels()),
    ("running_norm.cu", ("-fmad=false",)): {
        "running_norm<float,float,float,4>": Design({"LDG.E.128": 2, "STG.E.128": 1, "MUFU.EX2": 8}),
        "running_norm<__half,float,float,8>": Design({"LDG.E.128": 2, "STG.E.128": 1}),
        "running_norm<__half,float,__half,8>": Design({"LDG.E.128": 2, "STG.E.128": 1}),
        "running_norm_rows<float,float,float,4>": Design({"LDG.E.128": 2, "STG.E.128": 1}),
        "running_norm_rows<__half,float,float,8>": Design({"LDG.E.128": 2, "STG.E.128": 1})},
    ("reduce.cu", ()): dict(_reduce()),
    ("nll.cu", ()): {
        "nll_rows<float,float>": Design(whole={"STG.E": 1}, errors=True),
        "nll_total<float,float>": Design({"LDG.E": 4}, {"SHFL.BFLY": 20}, errors=True),
        "nll_grad<float,float>": Design(whole={"STG.E": 1}, most={"STG.E": 1}),
    },
    ("norm.cu", ()): dict(_norm()),
    ("norm_channels.cu", ()): dict(_norm_channels()),
    ("norm_groups.cu", ()): dict(_norm_groups()),
    ("scan.cu", ()): dict(_scan()),
    ("gradients.cu", ()): dict(_gradients()),
    ("join.cu", ()): {"join<uint4,192>": Design({"LDG.E.128": 1, "STG.E.128": 1}),
                      "join<unsigned int,192>": Design({"LDG.E": 1, "STG.E": 1, "IMAD.HI.U32": 1})},
    ("optim.cu", ()): dict(_optim()),
    ("pointwise.cu", ("-fmad=false",)): dict(_pointwise()),
    ("random.cu", ("-fmad=false",)): dict(_random()),
    ("pool.cu", ()): dict(_pool()),
    ("adaptive_pool.cu", ()): {
        **{f"adaptive_avg_pool{end}<{kind}>": Design({"LDG.E.128": 1}, {"STG.E.128": 1},
                                                     slow_loops="a window's mean is divided by a whole number")
           for end in ("", "_grad") for kind in ("float,float,4", "__half,float,8")},
        **{f"adaptive_max_pool<{kind},{pack}>": Design({"LDG.E.128": 1}, {"STG.E.128": 1 + pack // 2})
           for kind, pack in (("float,float", 4), ("__half,float", 8))},
        **{f"adaptive_max_pool_grad<{kind},{pack}>": Design({"LDG.E.128": 3}, {"STG.E.128": 1})
           for kind, pack in (("float,float", 4), ("__half,float", 8))}},
    ("pool_channels.cu", ()): dict(_pool_channels()),
    ("recurrent.cu", ()): dict(_recurrent()),
    ("scatter.cu", ()): dict(_scatter()),
    ("extremes.cu", ()): dict(_extremes()),
    ("sort.cu", ()): dict(_sort()),
}
