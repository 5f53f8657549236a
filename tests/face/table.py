"""What the tests of the public face go through: modules of `gpunet/ops`, samples for their parameters, exceptions.

A module whose functions have their final form is added to CONVERTED. Its tests: `pytest tests/face -k MODULE`. Where a
test asks for a sample, add one to SAMPLES; where we differ from PyTorch on purpose, add the reason to EXCEPTIONS.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module

import gpunet

CONVERTED = [
    "exponentials", "operators", "rounding", "trigonometry",
    # elementwise
    # ----
    # activation and losses
    # ----
    # reductions and indexing
    # ----
    # shape and creation
    # ----
    # matrices and layers
    "adaptive_pool", "conv", "decompose", "inverse", "linalg", "linear", "matmul", "normalization", "norms", "pool",
    "products",
    # ----
]

# Where users find functions.
NAMESPACES = ["", "linalg", "nn.functional", "special"]


@dataclass(frozen=True)
class T:
    """A tensor among the samples, made anew in each library."""

    values: object
    dtype: str | None = "float32"

    def of(self, library, **options):
        dtype = {} if self.dtype is None else {"dtype": getattr(library, self.dtype)}
        return library.tensor(self.values, **dtype, **options)


# By a parameter's name, for parameters without a default.
DEFAULTS = {"input": T([0.5, 0.25, -0.5]), "other": T([0.75, 2.0, 0.5]), "exponent": T([2.0, 1.0, 3.0]), "number": 2}

VECTOR, MATRIX = T([0.5, -1.0]), T([[2.0, 0.5], [0.5, 1.0]])
SIGNALS, IMAGES = T([[[0.5, -1.0, 2.0, 0.25]]]), T([[[[0.5, -1.0], [2.0, 0.25]]]])
MATRICES = T([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.5], [3.0, 0.25]]])

# By "function" or "function.parameter", where the defaults do not fit. Methods and in-place forms use their function's.
SAMPLES = {
    "acosh.input": T([1.5, 2.0, 3.0]), "arccosh.input": T([1.5, 2.0, 3.0]), "log.input": T([0.5, 1.0, 3.0]),
    "log2.input": T([0.5, 1.0, 3.0]), "log10.input": T([0.5, 1.0, 3.0]), "sqrt.input": T([0.5, 1.0, 3.0]),
    "rsqrt.input": T([0.5, 1.0, 3.0]), "float_power.input": T([0.5, 1.0, 3.0], "float64"),
    "float_power_.input": T([0.5, 1.0, 3.0], "float64"), "round.decimals": 1, "div.rounding_mode": "floor",
    "divide.rounding_mode": "trunc",
    # elementwise
    # ----
    # activation and losses
    # ----
    # reductions and indexing
    # ----
    # shape and creation
    # ----
    # matrices and layers
    "matmul.input": MATRIX, "matmul.other": MATRIX, "mm.input": MATRIX, "mm.mat2": MATRIX, "bmm.input": MATRICES,
    "bmm.mat2": MATRICES, "dot.tensor": T([0.75, 2.0, 0.5]), "linear.input": MATRIX, "linear.weight": MATRIX,
    **{f"{name}.{parameter}": MATRIX for parameter in ("input", "A", "B") for name in (
        "cholesky", "cond", "det", "eigh", "eigvalsh", "inv", "inverse", "logdet", "lstsq", "matrix_norm",
        "matrix_power", "matrix_rank", "pinv", "pinverse", "qr", "slogdet", "solve", "solve_triangular", "svd",
        "svdvals")},
    "matrix_power.n": 2, "multi_dot.tensors": [MATRIX, MATRIX], "lstsq.b": T([[1.0], [3.0]]),
    "solve_triangular.upper": True, "vecdot.x": VECTOR, "vecdot.y": VECTOR, "cond.p": 1, "matrix_rank.tol": 0.1,
    "pinv.rcond": 0.1,
    **{f"{name}.input": SIGNALS for name in ("conv1d", "conv_transpose1d", "max_pool1d", "avg_pool1d", "lp_pool1d",
       "adaptive_avg_pool1d", "adaptive_max_pool1d", "instance_norm", "local_response_norm", "group_norm")},
    **{f"{name}.input": IMAGES for name in ("conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "lp_pool2d",
       "adaptive_avg_pool2d", "adaptive_max_pool2d")},
    **{f"{name}.weight": T([[[0.5, 2.0]]]) for name in ("conv1d", "conv_transpose1d")},
    **{f"{name}.weight": T([[[[0.5, 2.0]]]]) for name in ("conv2d", "conv_transpose2d")},
    **{f"{kind}_pool{rank}d.kernel_size": 2 for kind in ("max", "avg", "lp") for rank in (1, 2)},
    **{f"adaptive_{kind}_pool{rank}d.output_size": 2 for kind in ("max", "avg") for rank in (1, 2)},
    "lp_pool1d.norm_type": 2, "lp_pool2d.norm_type": 2, "conv1d.padding": 0,
    "batch_norm.input": MATRIX, "batch_norm.running_mean": VECTOR, "batch_norm.running_var": T([0.5, 2.0]),
    "group_norm.num_groups": 1, "layer_norm.input": MATRIX, "layer_norm.normalized_shape": [2],
    "rms_norm.input": MATRIX, "rms_norm.normalized_shape": [2], "local_response_norm.size": 1,
    "matrix_norm.ord": 1, "norm.ord": 2,
    "linear.bias": T([0.5, -1.0]), "mv.input": MATRIX, "mv.vec": VECTOR, "outer.vec2": VECTOR, "ger.vec2": VECTOR,
    "tensordot.a": MATRIX, "tensordot.b": MATRIX, "trace.input": MATRIX, "addmm.input": MATRIX, "addmm.mat1": MATRIX,
    "addmm.mat2": MATRIX, "addmv.input": VECTOR, "addmv.mat": MATRIX, "addmv.vec": VECTOR, "addr.input": MATRIX,
    "addr.vec1": VECTOR, "addr.vec2": VECTOR, "baddbmm.input": MATRICES, "baddbmm.batch1": MATRICES,
    "baddbmm.batch2": MATRICES, "addbmm.input": MATRIX, "addbmm.batch1": MATRICES, "addbmm.batch2": MATRICES,
    # ----
}

# "place.name" or "place.name.parameter" -> why it differs from PyTorch.
EXCEPTIONS: dict[str, str] = {
    "Tensor.rsub": "each function that takes `input` first is a method too",
    "nn.functional.tanh.out": "it is the function gpunet.tanh",
    # elementwise
    # ----
    # activation and losses
    # ----
    # reductions and indexing
    # ----
    # shape and creation
    # ----
    # matrices and layers
    **dict.fromkeys([f"{place}{name}.out_dtype" for place in ("", "Tensor.") for name in ("mm", "bmm", "addmm",
                     "baddbmm")], "PyTorch has it for half types on CUDA alone"),
    "layer_norm.cudnn_enable": "it is the function of nn.functional, which has no such switch",
    "group_norm.cudnn_enabled": "it is the function of nn.functional, which has no such switch",
    # ----
}


@dataclass(frozen=True)
class Public:
    """A function where users find it, such as `gpunet.exp` or `Tensor.exp_`."""

    module: str  # the file in gpunet/ops
    place: str  # a namespace, or "Tensor"
    name: str

    def of(self, library):
        found = library
        for part in (*self.place.split("."), self.name):
            found = getattr(found, part, None) if part else found
        return found

    @property
    def path(self) -> str:
        return f"{self.place}.{self.name}".removeprefix(".")

    def __str__(self):
        return f"{self.module}-{self.path}"


def public_functions(module: str) -> list[Public]:
    """The functions of a module of gpunet/ops, by each name that users have for them."""
    path = f"gpunet.ops.{module}"
    import_module(path)
    found = []
    for place in (*NAMESPACES, "Tensor"):
        owner = Public(module, place, "").of(gpunet) if place else gpunet
        for name, value in sorted(vars(owner).items()) if owner is not None else ():
            if not name.startswith("_") and inspect.isfunction(value) and value.__module__ == path:
                found.append(Public(module, place, name))
    return found


FUNCTIONS = [function for module in CONVERTED for function in public_functions(module)]


def sample(name: str, parameter: str, kind: str = ""):
    """A value for a parameter: a T, or anything else as it is. KeyError if there is none."""
    for key in (f"{name}.{parameter}", f"{name.removesuffix('_')}.{parameter}"):
        if key in SAMPLES:
            return SAMPLES[key]
    return DEFAULTS["number" if kind == "number" else parameter]


def made(value, library, **options):
    """A sample in a library: its tensors, also those in tuples and lists, are that library's."""
    if isinstance(value, T):
        return value.of(library, **options)
    if isinstance(value, (tuple, list)):
        return type(value)(made(each, library, **options) for each in value)
    return value
