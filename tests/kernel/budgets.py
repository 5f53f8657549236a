"""Every kernel instance that the launch code declares, and the registers a thread of it may take.

A register budget is what lets the intended number of blocks share a multiprocessor (65,536 registers): 64 for 1,024
threads, 128 for 512. No instance may spill, but for what SPILLS lists. Missing from this table: tuned kernels for one
architecture only.
"""

from itertools import product

import pytest

import gpunet  # noqa: F401  (declares the kernels)
from gpunet.kernel import Kernel

# C++ type -> type of its sums, elements in 16 bytes.
TYPES = {"float": ("float", 4), "double": ("double", 2), "__half": ("float", 8), "__nv_bfloat16": ("float", 8)}

WIDE_TILE = "128,256,8,2,4,1,1"
LARGE_TILE, MEDIUM_TILE, SMALL_TILE = "128,128,8,2,4,1,2", "64,64,16,2,2,1,4", "32,32,32,1,1,8,2"
TENSOR_LARGE, TENSOR_SMALL = "128,128,2,2,2", "64,64,2,2,4"
CONV_LARGE, CONV_SMALL = "128,128,4,2,2", "64,64,2,2,4"
TALL, WIDE = "128,64,2,1,4", "64,128,1,2,4"


def _typed(name, *extra, packs=True):
    """`name<T,A,V,extra>` for every type, with and without 16-byte accesses."""
    for dtype, (wide, pack) in TYPES.items():
        for parts in product((pack, 1) if packs else (), *extra) if packs else product(*extra):
            yield f"{name}<{','.join(map(str, (dtype, wide, *parts)))}>"


def _softmax():
    for dtype, (wide, pack) in TYPES.items():
        for v in (pack, 1):
            block = (0, 8) if wide == "double" else (0, 32) if v > 1 else (0, 16)
            for lanes, items in ((8, 8), (32, 8), block):
                yield f"softmax_ce<{dtype},{wide},{v},{lanes},{items}>"
            yield f"softmax_ce<{dtype},{wide},{min(v, 2)},8,2>"


def _matmul(tile):
    """a_t, b_t, elements an access. Where k runs along both operands, access is by single elements."""
    for a_t, b_t, v in (("false", "false", 4), ("false", "false", 1), ("false", "true", 1), ("true", "false", 4),
                        ("true", "false", 1), ("true", "true", 4), ("true", "true", 1)):
        if tile == LARGE_TILE and v == 1 and (a_t, b_t) != ("false", "true"):
            continue  # not used: would spill, and the launch code takes the medium tile
        yield f"matmul_float<{a_t},{b_t},{v},{tile}>"


def _matmul_pair(tile):
    for b_t, v in product(("false", "true"), (4, 1)):
        yield f"matmul_pair<{b_t},{v},{tile}>"


def _matmul_tensor_pair():
    for dtype, b_t, whole in product(("__half", "__nv_bfloat16", "float"), ("false", "true"), ("true", "false")):
        yield f"matmul_tensor_pair<{dtype},{b_t},{whole},{TENSOR_SMALL}>"


def _matmul_any():
    for dtype, a_t, b_t in product(("double", "__nv_bfloat16"), ("false", "true"), ("false", "true")):
        yield f"matmul_any<{dtype},{TYPES[dtype][0]},{a_t},{b_t}>"


def _matmul_tensor(whole, tile):
    for dtype, a_t, b_t in product(("__half", "__nv_bfloat16", "float"), ("false", "true"), ("false", "true")):
        yield f"matmul_tensor<{dtype},{a_t},{b_t},{whole},{tile}>"


def _matmul_tf32x3():
    for a_t, b_t, whole in product(("false", "true"), ("false", "true"), ("true", "false")):
        yield f"matmul_tf32x3<{a_t},{b_t},{whole},{TENSOR_SMALL}>"


def _matmul_hopper():
    turned = "false", "true"
    for dtype, a_t, b_t, tile_n in product(("__half", "__nv_bfloat16"), turned, turned, (256, 128)):
        yield f"matmul_hopper<{dtype},{a_t},{b_t},{tile_n}>"
    yield from (f"matmul_hopper<float,{a_t},true,{tile_n}>" for a_t, tile_n in product(turned, (256, 128)))


def _conv_tensor():
    for name, dtype, whole, tile in product(("conv_tensor", "conv_tensor_weight"), ("__half", "__nv_bfloat16", "float"),
                                            ("true", "false"), (CONV_LARGE, CONV_SMALL)):
        yield f"{name}<{dtype},{whole},{tile}>"


def _conv_channels(*tiles):
    for dtype, tile in product(("__half", "__nv_bfloat16", "float"), tiles):
        if tile != WIDE:
            yield from (f"conv_channels<{dtype},{turned},{tile}>" for turned in ("false", "true"))
        yield f"conv_channels_weight<{dtype},{tile}>"


def _conv_channels_any(number):
    """Of large tiles, and of small ones, which double has alone."""
    tile, of_weight = (("128,64,4,1,3", "64,128,2,2,3"), ("64,32,2,1,4", "32,64,1,2,4"))[number]
    for dtype, whole in [("float", "true"), *product(TYPES, ("false",))]:
        if dtype != "double" or number:
            kind = f"{dtype},{TYPES[dtype][0]},{whole}"
            yield from (f"conv_channels_any<{kind},{turned},{tile}>" for turned in ("false", "true"))
            yield f"conv_channels_any_weight<{kind},{of_weight}>"


def _depthwise(*sizes):
    for dtype, k in product([t for t in TYPES if t != "double"], sizes):
        for name in (f"depthwise<{dtype},float,{k}", f"depthwise_input<{dtype},float,{k},1",
                     f"depthwise_input<{dtype},float,{k},2", f"depthwise_weight<{dtype},float,{k}"):
            yield f"{name}>"


def _depthwise_channels(name, slides, k=(0, 3, 5, 7)):
    for dtype, (wide, pack) in TYPES.items():
        for v, size in product((pack, 1) if dtype != "double" else (1,), k):
            for more in (",false", ",true")[:1 + (size > 0)] if slides else ("",):
                yield f"{name}<{dtype},{wide},{v},{size}{more}>"


def _attention(name, widths):
    for dtype, width in product([t for t in TYPES if t != "double"], widths):
        if dtype == "float" or width == 4:
            yield f"{name}<{dtype},{width}>"


def _attention_tensor(name, heads):
    for dtype, head in product(("__half", "__nv_bfloat16"), heads):
        yield f"{name}<{dtype},{head}>"


WHOLE = ("bool", "signed char", "unsigned char", "short", "int", "long long")


UNITS = ("unsigned char", "unsigned short", "unsigned int", "unsigned long long", "uint4")


def _scatter():
    """Reductions at sorted keys: every function for every type of numbers, sums for bools too."""
    wides = [(dtype, wide) for dtype, (wide, _) in TYPES.items()] + [(dtype, dtype) for dtype in WHOLE]
    for dtype, wide in wides:
        for function in ("Sum",) if dtype == WHOLE[0] else ("Sum", "Product", "Largest", "Smallest"):
            yield f"reduce_pieces<{dtype},{wide},{function}>"
            yield f"join_pieces<{dtype},{wide},{function}>"
    for dtype in (*TYPES, *WHOLE):
        yield f"store_last<{dtype}>"
    for dtype in WHOLE[1:]:
        yield f"check_index<{dtype}>"


def _extremes(name, *lanes):
    """`name<T,K>`, with K the type of keys; of runs also elements an access and the lanes of a result."""
    for dtype in (*TYPES, *WHOLE):
        key = "unsigned long long" if dtype in ("double", "long long") else "unsigned int"
        for v, lane in product((TYPES[dtype][1], 1) if dtype in TYPES else (1,), lanes):
            yield f"{name}<{dtype},{key},{v},{lane}>"
        if not lanes:
            yield f"{name}<{dtype},{key}>"


KEYS = ("unsigned int", "unsigned long long")


def _weighted(name, extra=((),)):
    """`name<T,A,W,V,extra>`: the weight's type W is T or A."""
    for dtype, (wide, pack) in TYPES.items():
        for weight, v, more in product(dict.fromkeys((dtype, wide)), (pack, 1) if dtype != "double" else (1,), extra):
            yield f"{name}<{','.join(map(str, (dtype, wide, weight, v, *more)))}>"


LANES = ((32,), (0,))


def _tiled(name, tiles):
    """`name<T,A,rows,columns>`: tiles for float; the other types have one."""
    for dtype, (wide, _) in TYPES.items():
        for rows, columns in tiles if dtype == "float" else ((64, 64),):
            yield f"{name}<{dtype},{wide},{rows},{columns}>"


MOST_OF_TABLE = {1: (192, 1624), 5: (72, 624)}  # rows -> tensors of a small and of a large table (table.cuh)
RULES = "Sgd Asgd Adam Adamax NAdam RAdam Adagrad Adadelta RmsProp Rprop".split()


def _updates():
    for rule, (dtype, (wide, _)), most in product(RULES, TYPES.items(), MOST_OF_TABLE[5]):
        if rule not in ("Sgd", "Adam") and (dtype == "double" or most > MOST_OF_TABLE[5][0]):
            continue
        yield f"update<{dtype},{wide},{rule}<{wide}>,{most}>"


SHORT = {"unary": "Relu Neg Abs Sqrt Rsqrt Reciprocal Hardsigmoid Hardswish Floor Ceil Trunc Sign",
         "binary_spread": "Plus Minus Times Divide Maximum Minimum",
         "binary": "Plus Minus Times Divide Maximum Minimum Heaviside ReluGrad SigmoidGrad TanhGrad HardsigmoidGrad "
                   "HardswishGrad",
         "compare": "Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr LogicalXor IsNan IsInf "
                    "IsFinite"}
LONG = {"unary": "Exp Log Tanh Erf Sigmoid Silu Gelu GeluTanh Logsigmoid Exp2 Expm1 Log1p Log2",
        "binary": "SiluGrad GeluGrad GeluTanhGrad"}
COMPARED = "Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr LogicalXor"
OF_INTEGERS = {"unary": "Neg Abs Invert", "binary_spread": "Plus Minus Times Maximum Minimum", "compare": COMPARED,
               "binary": "Plus Minus Times Maximum Minimum And Or Xor ShiftLeft ShiftRight FloorDivide Remainder "
                         "Heaviside Gcd Lcm"}
OF_BOOLS = {"unary": "Invert", "binary_spread": "Plus Times Maximum Minimum", "compare": COMPARED,
            "binary": "Plus Times Maximum Minimum Heaviside And Or Xor"}
INTEGERS = ("unsigned char", "int", "long long")
FORMULAS = "LeakyRelu LeakyReluGrad Threshold ThresholdGrad Hardshrink Softshrink ShrinkGrad BceGrad"
LONG_FORMULAS = "Elu EluGrad Softplus SoftplusGrad Mish MishGrad Bce Power"


def _pointwise():
    """`name<T,A,function>` and its form for strided operands, which replaces what broadcasts where that does not do."""
    for functions, types in ((SHORT, TYPES), (LONG, [dtype for dtype in TYPES if dtype != "double"]),
                             (OF_INTEGERS, INTEGERS), (OF_BOOLS, ("bool",))):
        for name, dtype in product(functions, types):
            wide = TYPES[dtype][0] if dtype in TYPES else dtype
            for function in functions[name].split():
                for form in ("", "_strided") if name != "binary_spread" else ("",):
                    yield f"{name}{form}<{dtype},{wide},{function}>"
    for dtype, (wide, _) in TYPES.items():
        for function in (FORMULAS + (" " + LONG_FORMULAS if dtype != "double" else "")).split():
            yield f"formula<{dtype},{wide},{function}>"
    for dtype in (*TYPES, "bool", *INTEGERS):
        yield from (f"{name}<{dtype}>" for name in ("where", "where_spread", "where_strided"))
        for result in (*TYPES, "bool", *INTEGERS):
            through = result if dtype not in TYPES and result in TYPES else dtype
            if result != dtype:
                yield f"cast<{result},{dtype},{TYPES.get(through, (through,))[0]}>"
                yield f"cast_strided<{result},{dtype},{TYPES.get(through, (through,))[0]}>"
    for dtype, (wide, _) in TYPES.items():
        yield f"clamp<{dtype},{wide}>"
        yield f"clamp_grad<{dtype},{wide}>"
    for bits in ("unsigned char", "unsigned short", "unsigned int", "unsigned long long"):
        yield f"copy_strided<{bits}>"
    for types in ("long long,long long", "int,long long", "float,double", "double,double"):
        yield f"arange<{types}>"


def _reductions(integers=("bool", *INTEGERS)):
    """T, A and what is added up; elements in 16 bytes."""
    for dtype, (wide, pack) in TYPES.items():
        for function in ("Sum", "Product", "Absolutes", "Squares"):
            yield f"{dtype},{wide},{function}", pack
    for dtype in integers:
        yield f"{dtype},long long,Sum", {"int": 4, "long long": 2}.get(dtype, 16)


def _scans():
    """T, O, A and what is scanned; elements in 16 bytes; from the end?"""
    for dtype, (wide, pack) in TYPES.items():
        for function in ("Sum", "Product", "LogSumExp", "Recurrence"):
            for reverse in ("false", "true") if function in ("Sum", "Recurrence") else ("false",):
                packed = function in ("Sum", "Product") and dtype != "double" or (
                    dtype, function) == ("float", "LogSumExp")
                yield f"{dtype},{dtype},{wide},{function}", pack if packed else 1, reverse
    for dtype, function in product(("bool", *INTEGERS), ("Sum", "Product")):
        yield f"{dtype},long long,long long,{function}", 1, "false"


def _scan_rows():
    for kind, pack, reverse in _scans():
        for v, lanes in ((1, 8), (1, 32), (1, 0), *(((pack, 32), (pack, 0)) if pack > 1 else ())):
            yield f"scan_rows<{kind},{v},{lanes},{reverse}>"


def _sequences(*names, depths):
    """`name<A,cell,depth>`: of the weight, a lane has `depth` elements of each gate."""
    for name, cell, depth in product(names, range(4), depths):
        yield f"{name}<{depth.format(cell)}>"


# (file, options) -> [(instances, registers)]
BUDGETS = {
    ("softmax.cu", ()): [
        ([each for name in ("softmax_rows", "softmax_rows_grad") for each in _typed(name, (32, 0))
          if "double" not in each], 64),
        ([each for name in ("softmax_rows", "softmax_rows_grad") for each in _typed(name, (32, 0)) if "double" in each],
         128),
        ([each for name in ("softmax_long", "softmax_long_grad") for each in _typed(name)], 128),  # 512 threads
        ([each for name in ("softmax_columns", "softmax_columns_grad") for each in _typed(name, packs=False)], 64),
    ],
    ("softmax_ce.cu", ()): [
        (list(_softmax()), 64),
        ([f"softmax_ce<{dtype},float,{v},32,32>" for dtype, (wide, pack) in TYPES.items() if wide == "float"
          for v in (pack, 1)], 128),
        ([e for e in _typed("softmax_ce_long", (1024, 512)) if "double" not in e], 64),
        (["softmax_ce_long<double,double,1,512>"], 128),
        (["count_valid<float>", "count_valid<double>"], 64),
        (list(_typed("scaled_sum", packs=False)), 64),
    ],
    ("softmax_ce_cluster.cu", ()): [  # 512 threads, twice
        ([f"softmax_ce_cluster<{dtype},{v},{blocks}>" for dtype, (wide, pack) in TYPES.items() if wide == "float"
          for v, blocks in product((pack, 1), (2, 4, 8))], 64),
    ],
    ("softmax_cluster.cu", ()): [  # 512 threads, twice
        ([f"{name}<{dtype},{v},{blocks}>" for name in ("softmax_cluster", "softmax_cluster_grad")
          for dtype, (wide, pack) in TYPES.items() if wide == "float"
          for v, blocks in product((pack, 1), (1, 2, 4, 8))], 64),
    ],
    ("scan.cu", ()): [
        ([each for each in _scan_rows() if ",float," in each], 80),
        ([f"scan_columns<{kind},{reverse}>" for kind, _, reverse in _scans() if ",float," in kind], 64),
        ([each for each in _scan_rows() if ",float," not in each], 128),
        ([f"scan_columns<{kind},{reverse}>" for kind, _, reverse in _scans() if ",float," not in kind], 128),
    ],
    ("bias_act.cu", ()): [
        (list(_typed("bias_relu")), 40),
        (list(_typed("bias_relu_backward")), 64),
        (list(_typed("column_sum")), 64),
        (list(_typed("column_sum_finish", packs=False)), 40),
    ],
    ("conv.cu", ("-fmad=false",)): [
        (list(_tiled("conv_gather", ((64, 128), (32, 128), (64, 64), (32, 32)))), 128),
        (list(_tiled("conv_weight", ((64, 64), (32, 64)))), 128),
    ],
    ("conv_tensor.cu", ("-fmad=false",)): [
        (list(_conv_tensor()), 128),  # 256 threads twice, or 128 four times
    ],
    ("conv_channels.cu", ("-fmad=false",)): [
        (list(_conv_channels(TENSOR_LARGE, TALL, WIDE)), 255),  # 128 threads twice, or 64 four times
        (list(_conv_channels(TENSOR_SMALL)), 128),
    ],
    ("conv_channels_any.cu", ("-fmad=false",)): [
        (list(_conv_channels_any(0)), 168),  # 128 threads, three times
        (list(_conv_channels_any(1)), 255),  # 64 threads, four times
    ],
    ("running_norm.cu", ("-fmad=false",)): [
        ([each for name in ("running_norm", "running_norm_rows")
          for each in (*_weighted(name), f"{name}<double,double,double,2>")], 64),
    ],
    ("nll.cu", ()): [
        ([each for name in ("nll_rows", "nll_total", "nll_grad") for each in _typed(name, packs=False)], 64),
    ],
    ("norm_channels.cu", ()): [  # 1024 threads
        ([each for name in ("columns_moments", "columns_sums") for each in _typed(name) if "double,2" not in each], 64),
        ([*_weighted("normalize_columns"), *_weighted("normalize_columns_grad")], 64),
    ],
    ("norm_groups.cu", ()): [  # 512 threads, twice
        ([each for each in _typed("groups_moments") if "double,2" not in each], 64),
        ([each for name in ("normalize_column_groups", "groups_sums", "normalize_column_groups_grad")
          for each in _weighted(name)], 64),
    ],
    ("norm.cu", ()): [
        ([each for each in _weighted("normalize_rows", LANES) if "double" not in each], 64),
        ([each for each in _weighted("normalize_rows_grad", LANES[1:]) if "double" not in each], 64),
        ([each for each in _weighted("normalize_rows_grad", LANES[:1]) if "double" not in each], 96),
        ([each for each in (*_weighted("normalize_rows", LANES), *_weighted("normalize_rows_grad", LANES[:1]))
          if "double" in each], 136),
        ([each for each in _weighted("normalize_rows_grad", LANES[1:]) if "double" in each], 208),  # 256 threads
        ([f"normalize_rows_finish<{t},{TYPES[t][0]}>" for t in TYPES], 40),
        (list(_weighted("normalize_long_grad")), 128),  # 512 threads
        (list(_typed("normalize_columns_sums", packs=False)), 64),
        (list(_weighted("normalize_groups")), 64),
        (list(_weighted("normalize_channels_grad")), 64),
        ([each for each in _typed("normalize_run_sums") if "double,2" not in each], 64),
        (list(_weighted("normalize_groups_grad")), 64),
        (["move_statistics<float>", "move_statistics<double>"], 40),
    ],
    ("optim.cu", ()): [
        (list(_updates()), 96),
        (["prepare", f"prepare_each<{MOST_OF_TABLE[5][0]}>"], 80),
    ],
    ("gradients.cu", ()): [
        ([f"{name}<{dtype},{wide},{most}>" for name in ("norm_pieces", "clip_pieces", "scale_pieces", "unscale_pieces")
          for dtype, (wide, _) in TYPES.items() for most in MOST_OF_TABLE[1]], 48),
        (["norm_finish<float>", "norm_finish<double>", "move_loss_scale"], 48),
    ],
    ("join.cu", ()): [
        ([f"join<{unit},{MOST_OF_TABLE[1][0]}>" for unit in (
            "unsigned char", "unsigned short", "unsigned int", "unsigned long long", "uint4")], 40),
    ],
    ("pointwise.cu", ("-fmad=false",)): [
        (list(_pointwise()), 64),
    ],
    ("random.cu", ("-fmad=false",)): [
        (["random_bits", "uniform<float>", "uniform<double>", "normal<float>", "normal<double>"], 64),
        ([f"{name}<{dtype},{wide},{v}>" for name in ("dropout", "dropout_add") for dtype, (wide, _) in TYPES.items()
          for v in (4, 1)], 64),
        (list(_typed("dropout_backward")), 40),
    ],
    ("adaptive_pool.cu", ()): [
        ([each for kind in ("avg", "max") for end in ("", "_grad") for each in _typed(f"adaptive_{kind}_pool{end}")],
         80),
    ],
    ("pool_channels.cu", ()): [
        ([each for name in ("max_pool", "avg_pool")
          for end in ("channels", "channels_grad") for each in _typed(f"{name}_{end}")], 80),
    ],
    ("pool.cu", ()): [
        ([each for name in ("max_pool", "avg_pool") for each in _typed(name, packs=False)], 40),
        ([each for name in ("max_pool_grad", "avg_pool_grad") for each in _typed(name, packs=False)], 64),
    ],
    ("recurrent.cu", ()): [
        (list(_sequences("sequence_forward", "sequence_backward", depths=("float,{},24",))), 168),  # 384 threads
        (list(_sequences("sequence_forward", "sequence_backward", depths=("float,{},16", "double,{},8"))), 200),  # 256
        ([f"{name}<{dtype},{cell}>" for name, dtype, cell in product(("sequence_step", "sequence_step_grad"),
                                                                    ("float", "double"), range(4))], 40),
    ],
    ("scatter.cu", ()): [
        ([f"take_rows<{unit},{index}>" for unit, index in product(UNITS, ("long long", "int"))], 40),
        ([f"sum_few_rows<{dtype},{wide},{index}>" for (dtype, (wide, _)), index in product(TYPES.items(),
                                                                                         ("long long", "int"))], 64),
        (list(_scatter()), 64),
    ],
    ("extremes.cu", ()): [
        (list(_extremes("best_runs", 32, 0)), 64),
        ([*_extremes("best_columns"), *_extremes("best_finish")], 64),
    ],
    ("sort.cu", ()): [
        ([f"sort_rows<{key},{tile}>" for key in KEYS for tile in (512, 2048)], 64),
        ([f"select_rows<{key}>" for key in KEYS], 64),
        (["radix_starts", *[f"{name}<{key}>" for name in ("radix_counts", "radix_place") for key in KEYS]], 128),
        ([f"{name}<{unit},{index}>" for name in ("take_along", "put_along") for unit in UNITS[:4]
          for index in ("long long", "int")], 40),
    ],
    ("matmul.cu", ("-fmad=false",)): [
        (list(_matmul(WIDE_TILE)), 255),  # 256 threads, once
        (list(_matmul(LARGE_TILE)), 128),
        (list(_matmul(MEDIUM_TILE)), 128),
        (list(_matmul(SMALL_TILE)), 128),
        ([each for each in _matmul_any() if "double" not in each], 128),
        ([each for each in _matmul_any() if "double" in each], 160),  # 256 threads, once
        ([f"matmul_join<{dtype}>" for dtype in TYPES if dtype != "double"], 40),
        ([*_matmul_pair(MEDIUM_TILE), *_matmul_pair(SMALL_TILE)], 128),
    ],
    ("attention.cu", ()): [
        ([*_attention("attention", (2, 4)), *_attention("attention_by_query", (2, 4))], 128),
        ([*_attention("attention", (8,)), *_attention("attention_by_query", (8,)),
          *_attention("attention_by_key", (2, 4, 8))], 255),  # 256 threads, once
    ],
    ("attention_tensor.cu", ()): [  # 128 threads: by 168 registers three times, by 255 twice
        ([*_attention_tensor("attention_tensor", ("32,64", "64,64", "128,64")),
          *_attention_tensor("attention_tensor_by_query", ("32,64", "64,64")),
          *_attention_tensor("attention_tensor_by_key", ("32,64",))], 168),
        ([*_attention_tensor("attention_tensor", ("256,32",)),
          *_attention_tensor("attention_tensor_by_query", ("128,64", "256,32")),
          *_attention_tensor("attention_tensor_by_key", ("64,64", "128,32", "256,32"))], 255),
    ],
    ("depthwise.cu", ("-fmad=false",)): [
        (list(_depthwise(3, 5)), 128),
        (list(_depthwise(7)), 255),  # 256 threads, once
    ],
    ("depthwise_channels.cu", ("-fmad=false",)): [
        ([*_depthwise_channels("depthwise_channels", True), *_depthwise_channels("depthwise_channels_input", False),
          *_depthwise_channels("depthwise_channels_weight", True)], 168),  # 128 threads, three times
    ],
    ("reduce.cu", ()): [
        ([f"reduce_runs<{kind},{v},{lanes}>" for kind, pack in _reductions() for v in (pack, 1) for lanes in (32, 0)],
         64),
        ([f"reduce_columns<{kind}>" for kind, _ in _reductions()], 64),
        ([f"reduce_finish<{kind}>" for kind, _ in _reductions(("long long",))], 64),
    ],
    ("matmul_hopper.cu", ("-fmad=false",)): [
        (list(_matmul_hopper()), 168),  # 384 threads, once; then producers have 40, and consumers 232
    ],
    ("matmul_hopper_pair.cu", ("-fmad=false",)): [
        ([each.replace("hopper", "hopper_pair") for each in _matmul_hopper() if "256" in each], 168),
    ],
    ("matmul_tensor.cu", ("-fmad=false",)): [
        (list(_matmul_tensor("true", TENSOR_LARGE)), 255),  # 128 threads, twice
        (list(_matmul_tensor("true", TENSOR_SMALL)), 128),
        (list(_matmul_tensor("false", TENSOR_SMALL)), 128),
        (list(_matmul_tensor_pair()), 128),
        (list(_matmul_tf32x3()), 128),
    ],
}

# (file, architecture) -> instance -> bytes of local memory for what was spilled, read once a tile or a head; ptxas
# spills some of 16 bytes whose larger it takes, rather than take a fourth of the threads' registers for them.
_BY_QUERY = {f"attention_by_query<{dtype},4>": 8 for dtype in TYPES if dtype != "double"}
_OF_BYTES = [f"binary<unsigned char,unsigned char,{name}>" for name in ("Maximum", "Minimum")]
SPILLS = {
    ("attention.cu", 86): _BY_QUERY,
    ("attention.cu", 89): _BY_QUERY,
    ("conv_tensor.cu", 75): {  # whose launches take the small tile
        f"conv_tensor<__half,false,{CONV_LARGE}>": 16, f"conv_tensor_weight<__half,false,{CONV_LARGE}>": 40},
    ("attention_tensor.cu", 100): {"attention_tensor_by_key<__half,32,64>": 8},
    ("pointwise.cu", 100): dict.fromkeys(_OF_BYTES, 52),
    ("pointwise.cu", 120): dict.fromkeys(_OF_BYTES, 8),
}


def each_for(table, architectures, quick):
    """(file, options, architecture) of a table, slow but where quick(file, architecture)."""
    only = {(kernel.file, kernel.options): kernel.capabilities for kernel in Kernel.ours if kernel.capabilities}
    return [pytest.param(*key, each, marks=() if quick(key[0], each) else pytest.mark.slow)
            for key in table for each in architectures if each in only.get(key, architectures)]
