"""gpunet: a small deep-learning framework with its own CUDA kernels, which also run on a CPU."""

import typing
from math import e, inf, nan, pi

from gpunet import amp, autograd, devices, linalg, nn, optim, random, special, utils
from gpunet._layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from gpunet._names import attributes_of as _attributes_of
from gpunet._names import find as _find
from gpunet._tensor_text import set_printoptions
from gpunet.amp import autocast, is_autocast_enabled
from gpunet.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from gpunet.devices import device, get_default_device, set_default_device
from gpunet.devices.precision import get_float32_matmul_precision, set_float32_matmul_precision
from gpunet.dispatch import is_tensor
from gpunet.dtypes import (
    bfloat16,
    double,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)
from gpunet.dtypes import bool_ as bool
from gpunet.dtypes import float_ as float
from gpunet.dtypes import int_ as int
from gpunet.legacy_tensors import *
from gpunet.native import get_num_threads, set_num_threads
from gpunet.number_types import finfo, iinfo
from gpunet.ops.activation import *
from gpunet.ops.adaptive_pool import *
from gpunet.ops.bits import *
from gpunet.ops.broadcasting import *
from gpunet.ops.combining import *
from gpunet.ops.compare import *
from gpunet.ops.conv import *
from gpunet.ops.conv_volumes import *
from gpunet.ops.creation import *
from gpunet.ops.diagonal import *
from gpunet.ops.distance import *
from gpunet.ops.distance import cosine_similarity, pairwise_distance
from gpunet.ops.divisors import *
from gpunet.ops.dropout import *
from gpunet.ops.einsum import *
from gpunet.ops.exponentials import *
from gpunet.ops.extremes import *
from gpunet.ops.factors import *
from gpunet.ops.gathering import *
from gpunet.ops.index_slices import *
from gpunet.ops.inplace import *
from gpunet.ops.join import *
from gpunet.ops.limits import *
from gpunet.ops.linalg import *
from gpunet.ops.matmul import *
from gpunet.ops.matrix_exp import *
from gpunet.ops.moments import *
from gpunet.ops.norms import *
from gpunet.ops.number_parts import *
from gpunet.ops.operators import *
from gpunet.ops.pad import *
from gpunet.ops.pieces import *
from gpunet.ops.poisson import *
from gpunet.ops.pool import *
from gpunet.ops.probability import *
from gpunet.ops.products import *
from gpunet.ops.quantiles import *
from gpunet.ops.random import *
from gpunet.ops.ranges import *
from gpunet.ops.rectifiers import *
from gpunet.ops.rectifiers import celu, celu_, rrelu, rrelu_, selu, selu_, threshold, threshold_
from gpunet.ops.reduce import *
from gpunet.ops.reorder import *
from gpunet.ops.resize import *
from gpunet.ops.rounding import *
from gpunet.ops.sample_norms import *
from gpunet.ops.scan import *
from gpunet.ops.scatter import *
from gpunet.ops.searching import *
from gpunet.ops.shape import *
from gpunet.ops.sigmoids import *
from gpunet.ops.softmax import *
from gpunet.ops.sorting import *
from gpunet.ops.special import *
from gpunet.ops.storage import *
from gpunet.ops.trigonometry import *
from gpunet.ops.window_functions import *
from gpunet.random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from gpunet.record import compile
from gpunet.settings import *
from gpunet.size import Size
from gpunet.tensor import Tensor

__version__ = "0.1.0"

# After Tensor, whose module has the function's name.
from gpunet.ops.creation import tensor

if typing.TYPE_CHECKING:  # imported when they are asked for
    from gpunet import accelerator, backends, cuda, data, distributions, func, profiler
    from gpunet.compat import compiler, distributed, fx, hub, jit, multiprocessing, onnx, version
    from gpunet.cuda import OutOfMemoryError
    from gpunet.serialization import load, load_file, save, save_file
else:
    __getattr__ = _attributes_of(__name__)
_find()

# What users may rely on; the other modules of the package are its inside.
__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "Generator",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor", "Size", "Tensor", "abs", "absolute", "accelerator", "acos",
    "acosh", "adaptive_avg_pool1d", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "all", "allclose",
    "alpha_dropout", "amax", "amin", "aminmax", "amp", "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "are_deterministic_algorithms_enabled", "argmax", "argmin", "argsort", "argwhere",
    "as_strided", "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "autocast", "autograd", "avg_pool1d", "backends", "baddbmm", "bartlett_window", "bernoulli",
    "bfloat16", "bincount", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "blackman_window", "block_diag", "bmm", "bool", "broadcast_shapes", "broadcast_tensors",
    "broadcast_to", "bucketize", "cartesian_prod", "cat", "cdist", "ceil", "celu", "celu_", "channel_shuffle",
    "channels_last", "channels_last_3d", "cholesky", "cholesky_inverse", "cholesky_solve", "chunk", "clamp",
    "clamp_max", "clamp_min", "clip", "clone", "column_stack", "combinations", "compile", "concat", "concatenate",
    "constant_pad_nd", "contiguous_format", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "copysign", "corrcoef", "cos", "cosh", "cosine_similarity", "count_nonzero", "cov", "cross",
    "cuda", "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "data", "default_generator", "deg2rad",
    "det", "detach", "device", "devices", "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "diff",
    "digamma", "dist", "distributions", "div", "divide", "dot", "double", "dropout", "dsplit", "dstack", "dtype", "e",
    "einsum", "empty", "empty_like", "enable_grad", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expm1",
    "eye", "feature_alpha_dropout", "fill", "fill_", "finfo", "fix", "flatten", "flip", "fliplr", "flipud", "float",
    "float16", "float32", "float64", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "frexp",
    "from_numpy", "full", "full_like", "func", "gather", "gcd", "ge", "ger", "get_default_device", "get_default_dtype",
    "get_deterministic_debug_mode", "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads",
    "get_rng_state", "greater", "greater_equal", "group_norm", "gt", "half", "hamming_window", "hann_window",
    "hardshrink", "heaviside", "histc", "histogram", "hsplit", "hstack", "hypot", "iinfo", "index_add", "index_copy",
    "index_fill", "index_put", "index_reduce", "index_select", "inf", "inference_mode", "initial_seed", "inner", "int",
    "int16", "int32", "int64", "int8", "inverse", "is_autocast_enabled", "is_complex",
    "is_deterministic_algorithms_warn_only_enabled", "is_floating_point", "is_grad_enabled",
    "is_inference_mode_enabled", "is_storage", "is_tensor", "is_warn_always_enabled", "isclose", "isfinite", "isin",
    "isinf", "isnan", "isneginf", "isposinf", "isreal", "kaiser_window", "kron", "kthvalue", "layer_norm", "layout",
    "lcm", "ldexp", "le", "lerp", "less", "less_equal", "lgamma", "linalg", "linspace", "load", "load_file", "log",
    "log10", "log1p", "log2", "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp", "logdet", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logit", "logspace", "logsumexp", "long", "lt", "lu", "lu_solve",
    "lu_unpack", "manual_seed", "masked_fill", "masked_scatter", "masked_select", "matmul", "matrix_exp",
    "matrix_power", "max", "max_pool1d", "max_pool2d", "max_pool3d", "maximum", "mean", "median", "memory_format",
    "meshgrid", "min", "minimum", "mm", "mode", "moveaxis", "movedim", "msort", "mul", "multinomial", "multiply", "mv",
    "mvlgamma", "nan", "nan_to_num", "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "ne", "neg", "negative",
    "nextafter", "nn", "no_grad", "nonzero", "norm", "normal", "not_equal", "numel", "ones", "ones_like", "optim",
    "outer", "pairwise_distance", "permute", "pi", "pinverse", "pixel_shuffle", "pixel_unshuffle", "poisson",
    "polygamma", "positive", "pow", "prelu", "preserve_format", "prod", "profiler", "promote_types", "put", "qr",
    "quantile", "rad2deg", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "random", "randperm",
    "ravel", "reciprocal", "relu", "remainder", "renorm", "repeat_interleave", "reshape", "rms_norm", "roll", "rot90",
    "round", "row_stack", "rrelu", "rrelu_", "rsqrt", "rsub", "save", "save_file", "scalar_tensor", "scatter",
    "scatter_add", "scatter_reduce", "searchsorted", "seed", "select", "select_scatter", "selu", "selu_",
    "set_default_device", "set_default_dtype", "set_default_tensor_type", "set_deterministic_debug_mode",
    "set_float32_matmul_precision", "set_flush_denormal", "set_grad_enabled", "set_num_interop_threads",
    "set_num_threads", "set_printoptions", "set_rng_state", "set_warn_always", "sgn", "short", "sigmoid", "sign",
    "signbit", "sin", "sinc", "sinh", "slice_scatter", "slogdet", "softmax", "sort", "special", "split",
    "split_with_sizes", "sqrt", "square", "squeeze", "stack", "std", "std_mean", "strided", "sub", "subtract", "sum",
    "svd", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh", "tensor", "tensor_split", "tensordot",
    "threshold", "threshold_", "tile", "topk", "trace", "transpose", "trapezoid", "trapz", "tril", "tril_indices",
    "triu", "triu_indices", "true_divide", "trunc", "uint16", "uint32", "uint64", "uint8", "unbind", "unflatten",
    "unique", "unique_consecutive", "unravel_index", "unsqueeze", "use_deterministic_algorithms", "utils", "vander",
    "var", "var_mean", "vdot", "vsplit", "vstack", "where", "xlogy", "zero_", "zeros", "zeros_like",
]


def __dir__() -> list[str]:
    """The public names, for dir() and for completion: not the modules that importing has put here."""
    return [*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__", "__version__"]
