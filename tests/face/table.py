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
    "activation", "rectifiers", "sigmoids", "softmax", "nn_softmax", "regression_loss", "likelihood_loss",
    "margin_loss", "cross_entropy", "ctc", "distance", "embedding", "bilinear", "attention",
    # ----
    # reductions and indexing
    # ----
    # shape and creation
    # ----
    # matrices and layers
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
    "prelu.weight": T([0.5]), "softmax.dim": 0, "log_softmax.dim": 0, "softmin.dim": 0,
    "logsumexp.dim": 0, "threshold.threshold": 0.3, "threshold.value": 2.0, "glu.input": T([0.5, 0.25, -0.5, 1.0]),
    "gumbel_softmax.logits": T([0.5, 900.0, -0.5]),
    **{f"{loss}.target": T([1.0, 2.0, 0.5]) for loss in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss",
                                                         "kl_div", "poisson_nll_loss", "gaussian_nll_loss")},
    **{f"{loss}.target": T([1.0, -1.0, 1.0]) for loss in ("hinge_embedding_loss", "soft_margin_loss",
                                                          "margin_ranking_loss")},
    **{f"{loss}.target": T([0.0, 1.0, 1.0]) for loss in ("binary_cross_entropy", "binary_cross_entropy_with_logits",
                                                         "multilabel_soft_margin_loss")},
    **{f"{loss}.target": T([1], "int64") for loss in ("cross_entropy", "nll_loss", "multi_margin_loss")},
    **{f"{function}.input": T([[0.5, 0.25, -0.5]]) for function in (
        "cross_entropy", "nll_loss", "multi_margin_loss", "multilabel_margin_loss", "normalize")},
    **{f"{function}.{x}": T([values]) for x, values in (("x1", [0.5, 0.25, -0.5]), ("x2", [0.75, 2.0, 0.5]))
       for function in ("cdist", "cosine_similarity", "pairwise_distance")},
    **{f"{loss}.{x}": T([values]) for x, values in (("anchor", [0.5, 0.25]), ("positive", [1.0, 2.0]),
                                                    ("negative", [-1.0, 0.5]))
       for loss in ("triplet_margin_loss", "triplet_margin_with_distance_loss")},
    "binary_cross_entropy.input": T([0.5, 0.25, 0.75]), "gaussian_nll_loss.var": T([1.0, 2.0, 0.5]),
    "margin_ranking_loss.input1": T([0.5, 0.25, -0.5]), "margin_ranking_loss.input2": T([0.75, 2.0, 0.5]),
    "multilabel_margin_loss.target": T([[1, -1, 0]], "int64"), "cosine_embedding_loss.target": T([1.0]),
    "cosine_embedding_loss.input1": T([[0.5, 0.25]]), "cosine_embedding_loss.input2": T([[0.75, 2.0]]),
    "ctc_loss.log_probs": T([[[-1.5, -0.25]], [[-0.5, -1.0]]]), "ctc_loss.targets": T([[1]], "int64"),
    "ctc_loss.input_lengths": T([2], "int64"), "ctc_loss.target_lengths": T([1], "int64"),
    "embedding.input": T([1, 0], "int64"), "embedding.weight": T([[0.5, 0.25], [0.75, 2.0]]),
    "one_hot.input": T([1, 0], "int64"), "bilinear.input1": T([[0.5, 0.25]]), "bilinear.input2": T([[0.75, 2.0]]),
    "bilinear.weight": T([[[0.5, 0.25], [0.75, 2.0]]]), "scaled_dot_product_attention.query": T([[0.5, 0.25]]),
    "scaled_dot_product_attention.key": T([[0.75, 2.0], [0.5, 0.25]]),
    "scaled_dot_product_attention.value": T([[1.0], [2.0]]),
    # ----
    # reductions and indexing
    # ----
    # shape and creation
    # ----
    # matrices and layers
    # ----
}

# "place.name" or "place.name.parameter" -> why it differs from PyTorch.
EXCEPTIONS: dict[str, str] = {
    "Tensor.rsub": "each function that takes `input` first is a method too",
    "nn.functional.tanh.out": "it is the function gpunet.tanh",
    # elementwise
    # ----
    # activation and losses
    "nn.functional.sigmoid.out": "it is the function gpunet.sigmoid",
    "nn.functional.threshold.out": "it is the function gpunet.threshold",
    **{f"nn.functional.elu_.{name}": "PyTorch does not document it" for name in ("scale", "input_scale")},
    # ----
    # reductions and indexing
    # ----
    # shape and creation
    # ----
    # matrices and layers
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
