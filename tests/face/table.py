"""What the tests of the public face go through: modules of `gpunet/ops`, samples for their parameters, exceptions.

A module whose functions have their final form is added to CONVERTED. Its tests: `pytest tests/face -k MODULE`. Where a
test asks for a sample, add one to SAMPLES; where we differ from PyTorch on purpose, add the reason to EXCEPTIONS.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module

import numpy as np

import gpunet

CONVERTED = [
    "exponentials", "operators", "rounding", "trigonometry",
    # elementwise
    "bits", "combining", "compare", "divisors", "dropout", "fills", "inplace", "limits", "number_parts",
    "probability", "random", "scan", "special",
    # ----
    # activation and losses
    "activation", "rectifiers", "sigmoids", "softmax", "nn_softmax", "regression_loss", "likelihood_loss",
    "margin_loss", "cross_entropy", "ctc", "distance", "embedding", "bilinear", "attention",
    # ----
    # reductions and indexing
    "extremes", "gathering", "index_slices", "moments", "quantiles", "reduce", "scatter", "searching", "sorting",
    # ----
    # shape and creation
    "broadcasting", "creation", "diagonal", "einsum", "fold", "grid", "join", "pad", "pieces", "ranges", "reorder",
    "resize", "shape", "shape_methods",
    # ----
    # matrices and layers
    "adaptive_pool", "conv", "decompose", "factors", "inverse", "linalg", "linear", "lu", "matmul", "matrix_exp",
    "normalization", "norms", "pool", "products", "poisson", "sample_norms", "window_functions",
    # ----
]

# Modules whose results are drawn: they have PyTorch's shapes and types, and other numbers.
DRAWN = {"dropout", "fills", "poisson", "random"}

# Where users find functions.
NAMESPACES = ["", "linalg", "nn.functional", "special"]


@dataclass(frozen=True)
class T:
    """A tensor among the samples, made anew in each library."""

    values: object
    dtype: str | None = "float32"

    def of(self, library, **options):
        dtype = {} if self.dtype is None else {"dtype": getattr(library, self.dtype)}
        if "float" not in (self.dtype or ""):
            options.pop("requires_grad", None)
        return library.tensor(self.values, **dtype, **options)


@dataclass(frozen=True)
class D:
    """A type among the samples."""

    name: str

    def of(self, library, **_):
        return getattr(library, self.name)


_VECTOR, _MATRIX = T([0.5, 0.25, -0.5]), T([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
_IMAGE, _CUBE = T([[[[1.0, 2.0], [3.0, 4.0]]]]), T([[[1.0, 2.0], [3.0, 4.0]]])

# By a parameter's name, for parameters without a default.
DEFAULTS = {"input": T([0.5, 0.25, -0.5]), "other": T([0.75, 2.0, 0.5]), "exponent": T([2.0, 1.0, 3.0]), "number": 2,
            "generator": None, "p": 0.5}

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
    **{f"bitwise_{name}.{operand}": T([12, 5, 3], "int64") for operand in ("input", "other")
       for name in ("and", "or", "xor", "not", "left_shift", "right_shift")},
    "clamp.min": 0.1, "clamp.max": 0.3, "clip.min": 0.1, "clip.max": 0.3, "clamp_min.min": 0.1, "clamp_max.max": 0.3,
    "addcmul.tensor1": T([1.0, 2.0, 3.0]), "addcmul.tensor2": T([3.0, 0.5, 2.0]), "addcmul.value": 0.5,
    "addcdiv.tensor1": T([1.0, 2.0, 3.0]), "addcdiv.tensor2": T([3.0, 0.5, 2.0]), "addcdiv.value": 0.5,
    "lerp.end": T([1.0, 2.0, 3.0]), "lerp.weight": 0.25, "nan_to_num.input": T([0.5, float("nan"), float("-inf")]),
    "nan_to_num.neginf": -2.0, "polygamma.n": 1, "polygamma.input": T([0.5, 1.0, 3.0]),
    "logit.input": T([0.5, 0.25, 0.125]), "rand.size": (2, 3), "randn.size": (2, 3),
    "randint.high": 5, "randint.low": 2, "randint.size": (2, 3), "randint_like.low": 2, "randint_like.high": 5,
    "randperm.n": 5, "normal.mean": 0.5, "normal.std": 2.0, "normal.size": (2, 3), "geometric_.p": 0.5,
    "bernoulli.input": T([0.5, 0.25, 0.75]), "multinomial.input": T([0.5, 0.25, 0.75]), "multinomial.num_samples": 2,
    "poisson.input": T([0.5, 2.0, 30.0]), **{f"{name}_window.{parameter}": value for name in (
        "bartlett", "blackman", "hamming", "hann", "kaiser") for parameter, value in (("window_length", 5),
        ("periodic", True), ("alpha", 0.6), ("beta", 0.5))}, "histogram.bins": 3, "vander.x": T([0.5, 2.0, -1.0]),
    "renorm.input": _MATRIX, "renorm.dim": 0, "renorm.p": 2, "renorm.maxnorm": 3.0,
    "random_.to": 5, "fill.value": 2.5, "copy_.src": T([1.0, 2.0, 3.0]),
    "dropout.p": 0.5, "dropout.train": True, "alpha_dropout.p": 0.5,
    "alpha_dropout.train": True, "feature_alpha_dropout.p": 0.5, "feature_alpha_dropout.train": True,
    "feature_alpha_dropout.input": _MATRIX, "dropout1d.input": _CUBE, "dropout2d.input": _IMAGE,
    "dropout3d.input": T([[[[[1.0, 2.0]]]]]),
    **{f"{name}.dim": 0 for name in ("cummax", "cummin", "cumprod", "cumsum", "logcumsumexp")},
    "where.condition": T([True, False, True], "bool"), "where.input": T([0.5, 0.25, -0.5]),
    "where.other": T([0.75, 2.0, 0.5]),
    **{f"{name}.{x}": value for name in ("mvlgamma", "multigammaln") for x, value in (("input", T([3.0, 4.5])),
                                                                                     ("p", 2))},
    "gcd.input": T([12, -18, 0], "int64"), "gcd.other": T([8, 12, -5], "int64"),
    "lcm.input": T([12, -18, 0], "int64"), "lcm.other": T([8, 12, -5], "int64"), "heaviside.values": T([1.0, 2.0, 3.0]),
    "isin.elements": T([1.0, 2.0, 3.0]), "isin.test_elements": T([2.0, 3.0]),
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
    "gather.dim": 0, "gather.index": T([2, 0], "int64"), "index_select.dim": 0,
    "index_select.index": T([2, 0], "int64"), "take_along_dim.indices": T([2, 0], "int64"),
    "take.index": T([2, 0], "int64"),
    "masked_select.mask": T([True, False, True], "bool"), "scatter.dim": 0, "scatter.index": T([2, 0], "int64"),
    "scatter.src": T([3.0, 7.0]), "scatter.reduce": "add", "scatter_add.dim": 0,
    "scatter_add.index": T([2, 2], "int64"), "scatter_add.src": T([3.0, 7.0]), "scatter_reduce.dim": 0,
    "scatter_reduce.index": T([2, 2], "int64"), "scatter_reduce.src": T([3.0, 7.0]), "scatter_reduce.reduce": "amax",
    "put.index": T([2, 0], "int64"), "put.source": T([3.0, 7.0]), "index_put.indices": (T([2, 0], "int64"),),
    "index_put.values": T([3.0, 7.0]), "masked_fill.mask": T([True, False, True], "bool"), "masked_fill.value": 5,
    "masked_scatter.mask": T([True, False, True], "bool"), "masked_scatter.source": T([3.0, 7.0]),
    "index_add.dim": 0, "index_add.index": T([2, 2], "int64"), "index_add.source": T([3.0, 7.0]),
    "index_copy.dim": 0, "index_copy.index": T([2, 0], "int64"), "index_copy.source": T([3.0, 7.0]),
    "index_reduce.dim": 0, "index_reduce.index": T([2, 2], "int64"), "index_reduce.source": T([3.0, 7.0]),
    "index_reduce.reduce": "amax", "index_fill.dim": 0, "index_fill.index": T([2, 0], "int64"), "index_fill.value": 5,
    "sum.dim": 0, "mean.dim": 0, "prod.dim": 0, "count_nonzero.dim": 0, "all.dim": 0, "any.dim": 0, "var.dim": 0,
    "std.dim": 0, "var_mean.dim": 0, "std_mean.dim": 0, "max.dim": 0, "min.dim": 0, "median.dim": 0, "nanmedian.dim": 0,
    "argsort.stable": True, "sort.stable": True, "topk.k": 2, "kthvalue.k": 2, "quantile.q": 0.3, "nanquantile.q": 0.3,
    "bincount.input": T([1, 3, 1], "int64"), "bucketize.boundaries": T([-0.5, 0.25, 0.75]),
    "searchsorted.sorted_sequence": T([-0.5, 0.25, 0.75]),
    "unravel_index.indices": T([3, 0, 5], "int64"), "unravel_index.shape": (2, 3), "cov.input": _MATRIX,
    "cov.fweights": T([1, 2, 1], "int64"), "cov.aweights": T([1.0, 0.5, 2.0]), "corrcoef.input": T([[1.0, 5.0, 2.0],
    [0.5, 1.0, 3.0]]), **{f"{name}.{x}": T(values) for x, values in (("y", [0.5, 2.0, 3.0]), ("x", [1.0, 1.5, 4.0]))
                          for name in ("trapezoid", "trapz", "cumulative_trapezoid")},
    **{f"{name}.dx": 0.5 for name in ("trapezoid", "trapz", "cumulative_trapezoid")},
    # ----
    # shape and creation
    "affine_grid.theta": T([[[1.0, 0.5, 0.0], [0.0, 1.0, 0.25]]]), "affine_grid.size": (1, 1, 2, 3),
    "affine_grid.align_corners": False, "arange.end": 5, "arange.start": 1, "as_tensor.data": [1.0, 2.0],
    "as_strided.size": (2, 2), "as_strided.stride": (1, 1), "as_strided.storage_offset": 0,
    "asarray.obj": [1.0, 2.0], "atleast_1d.tensors": [T(1.0)], "atleast_2d.tensors": [_VECTOR, T(1.0)],
    "atleast_3d.tensors": [_VECTOR, _MATRIX], "block_diag.tensors": [_MATRIX, _VECTOR],
    "broadcast_shapes.shapes": [(2, 1), (3,)], "broadcast_tensors.tensors": [_VECTOR, _MATRIX],
    "broadcast_to.size": (2, 3), "cartesian_prod.tensors": [_VECTOR, _VECTOR],
    "channel_shuffle.groups": 1, "channel_shuffle.input": _IMAGE, "chunk.chunks": 2,
    **{f"{name}.tensors": [_MATRIX, _MATRIX] for name in ("cat", "column_stack", "concat", "concatenate", "dstack",
                                                         "hstack", "row_stack", "stack", "vstack")},
    "constant_pad_nd.pad": (1, 2), "diagonal.A": _CUBE, "diagonal.input": _MATRIX, "diagonal_scatter.input": _MATRIX,
    "diagonal_scatter.src": T([7.0, 8.0]), "dsplit.indices": (1,), "dsplit.input": _CUBE, "dsplit.sections": 2,
    "einsum.equation": "ij,kj->ik", "einsum.args": ["ij,kj->ik", _MATRIX, _MATRIX], "empty.size": (0, 3),
    "empty_like.input": T([]),
    "expand.size": (2, 3), "eye.m": 2, "eye.n": 3, "fill_diagonal_.input": _MATRIX, "flatten.input": _CUBE,
    "flip.dims": (0,), "fliplr.input": _MATRIX, "fold.input": _CUBE, "fold.kernel_size": (1, 2),
    "fold.output_size": (1, 3), "fill_diagonal_.fill_value": 5.0,
    "from_numpy.ndarray": np.ones(3, np.float32),
    "full.fill_value": 2.5, "full.size": (2, 3), "full_like.fill_value": 2.5, "scalar_tensor.s": 2.5,
    "grid_sample.align_corners": False,
    "grid_sample.grid": T([[[[0.5, 0.25], [-0.5, 2.0]]]]), "grid_sample.input": _IMAGE, "hsplit.indices": (1,),
    "hsplit.sections": 3, "interpolate.input": _IMAGE, "interpolate.size": 3, "linspace.end": 2, "linspace.start": 0,
    "linspace.steps": 5, "logspace.end": 2, "logspace.start": 0, "logspace.steps": 5,
    "meshgrid.tensors": [_VECTOR, T([1.0, 2.0])], "moveaxis.destination": 0, "moveaxis.input": _MATRIX,
    "moveaxis.source": 1, "movedim.destination": 0, "movedim.input": _MATRIX, "movedim.source": 1, "narrow.dim": 0,
    "narrow.length": 2, "narrow.start": 1, "ones.size": (2, 3), "pad.pad": (1, 2), "permute.dims": (1, 0),
    "permute.input": _MATRIX, "pixel_shuffle.input": T([[[[1.0]], [[2.0]], [[3.0]], [[4.0]]]]),
    "pixel_shuffle.upscale_factor": 2, "pixel_unshuffle.downscale_factor": 2, "pixel_unshuffle.input": _IMAGE,
    "repeat.repeats": (2, 2), "repeat_interleave.input": _VECTOR, "repeat_interleave.repeats": T([1, 0, 2], "int64"),
    "reshape.shape": (3, 1), "roll.shifts": 1, "rot90.input": _MATRIX, "select.dim": 0, "select.index": 1,
    "select_scatter.dim": 0, "select_scatter.index": 1, "select_scatter.input": _MATRIX,
    "select_scatter.src": T([7.0, 8.0, 9.0]), "slice_scatter.src": T([7.0, 8.0, 9.0]), "split.split_size": 2,
    "split.split_size_or_sections": 2, "split.tensor": _VECTOR, "split_with_sizes.split_sizes": (1, 2),
    "squeeze.dim": 0, "squeeze.input": T([[1.0, 2.0]]), "swapaxes.axis0": 0, "swapaxes.axis1": 1,
    "swapaxes.input": _MATRIX, "swapdims.dim0": 0, "swapdims.dim1": 1, "swapdims.input": _MATRIX, "t.input": _MATRIX,
    "tensor.data": [1.0, 2.0], "tensor_split.indices": (1,), "tensor_split.sections": 2,
    "tensor_split.tensor_indices_or_sections": T([1], "int64"), "tile.dims": (2, 2), "transpose.dim0": 0,
    "transpose.dim1": 1, "transpose.input": _MATRIX, "tril.input": _MATRIX, "tril_indices.col": 3,
    "tril_indices.row": 2, "triu.input": _MATRIX, "triu_indices.col": 3, "triu_indices.row": 2, "unflatten.dim": 0,
    "unflatten.sizes": (3, 1), "unfold.dimension": 3, "unfold.input": _IMAGE, "unfold.kernel_size": 2,
    "unfold.size": 2, "unfold.step": 1, "unsqueeze.dim": 1, "upsample.input": _IMAGE, "upsample.size": 3,
    "view.dtype": D("int32"), "view.size": (3, 1), "vsplit.indices": (1,), "vsplit.input": _MATRIX,
    "vsplit.sections": 2, "zeros.size": (2, 3),
    # ----
    # matrices and layers
    "matmul.input": MATRIX, "matmul.other": MATRIX, "mm.input": MATRIX, "mm.mat2": MATRIX, "bmm.input": MATRICES,
    "bmm.mat2": MATRICES, "dot.tensor": T([0.75, 2.0, 0.5]), "linear.input": MATRIX, "linear.weight": MATRIX,
    **{f"{name}.{parameter}": MATRIX for parameter in ("input", "A", "B") for name in (
        "cholesky", "cond", "det", "eigh", "eigvalsh", "inv", "inverse", "logdet", "lstsq", "matrix_norm",
        "lu", "lu_factor", "lu_factor_ex", "matrix_exp",
        "matrix_power", "matrix_rank", "pinv", "pinverse", "qr", "slogdet", "solve", "solve_triangular", "svd",
        "svdvals")},
    "matrix_power.n": 2, "multi_dot.tensors": [MATRIX, MATRIX], "lstsq.b": T([[1.0], [3.0]]),
    "solve_triangular.upper": True, "vecdot.x": VECTOR, "vecdot.y": VECTOR, "cond.p": 1, "matrix_rank.tol": 0.1,
    "pinv.rcond": 0.1,
    "cholesky_inverse.input": MATRIX, "cholesky_solve.input": MATRIX, "cholesky_solve.input2": MATRIX,
    **{f"{name}.{parameter}": value for name in ("lu_solve", "lu_unpack") for parameter, value in (
        ("input", MATRIX), ("LU_data", MATRIX), ("LU", MATRIX), ("LU_pivots", T([2, 2], "int32")),
        ("pivots", T([2, 2], "int32")), ("B", MATRIX))},
    **{f"{name}.input": SIGNALS for name in ("conv1d", "conv_transpose1d", "max_pool1d", "avg_pool1d", "lp_pool1d",
       "adaptive_avg_pool1d", "adaptive_max_pool1d", "instance_norm", "local_response_norm", "group_norm")},
    **{f"{name}.input": IMAGES for name in ("conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "lp_pool2d",
       "adaptive_avg_pool2d", "adaptive_max_pool2d")},
    **{f"{name}.input": T([[[[[1.0, 2.0], [3.0, 5.0]], [[0.5, 4.0], [-1.0, 2.5]]]]]) for name in ("conv3d",
       "conv_transpose3d", "max_pool3d", "avg_pool3d", "lp_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d")},
    **{f"{name}.weight": T([[[[[0.5, 2.0]]]]]) for name in ("conv3d", "conv_transpose3d")}, "lp_pool3d.norm_type": 2,
    **{f"{name}.weight": T([[[0.5, 2.0]]]) for name in ("conv1d", "conv_transpose1d")},
    **{f"{name}.weight": T([[[[0.5, 2.0]]]]) for name in ("conv2d", "conv_transpose2d")},
    **{f"{kind}_pool{rank}d.kernel_size": 2 for kind in ("max", "avg", "lp") for rank in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{rank}d.output_size": 2 for kind in ("max", "avg") for rank in (1, 2, 3)},
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
    "isin.element": "a number has the name that a tensor has", "isin.test_element": "likewise",
    "Tensor.polygamma": "its schema has the function's order of parameters", "Tensor.polygamma_": "likewise",
    **{name: "it is the function of nn.functional, whose parameter is `training`"
       for name in ("alpha_dropout", "dropout", "feature_alpha_dropout")},
    "Tensor.fill": "each function that takes `input` first is a method too",
    "Tensor.random_.from": "Python has no parameters of that name", "Tensor.uniform_.from": "likewise",
    "randint.dtype": "PyTorch's schema has a number for the default", "randperm.dtype": "likewise",
    "bernoulli.p": "PyTorch's schema has a default for it that no call reaches", "Tensor.bernoulli.p": "likewise",
    # ----
    # activation and losses
    "nn.functional.sigmoid.out": "it is the function gpunet.sigmoid",
    "special.softmax.out": "it is the function gpunet.softmax",
    "special.log_softmax.out": "it is the function gpunet.log_softmax",
    "nn.functional.threshold.out": "it is the function gpunet.threshold",
    **{f"nn.functional.elu_.{name}": "PyTorch does not document it" for name in ("scale", "input_scale")},
    # ----
    # reductions and indexing
    "Tensor.bucketize": "each function that takes `input` first is a method too",
    "Tensor.std_mean": "each function that takes `input` first is a method too",
    "Tensor.var_mean": "each function that takes `input` first is a method too",
    # ----
    # shape and creation
    "Tensor.combinations": "each function that takes `input` first is a method too",
    "Tensor.contiguous.memory_format": "PyTorch's schema has a number for the default",
    "Tensor.expand.implicit": "for PyTorch's compiler",
    "tril_indices.dtype": "PyTorch's schema has a number for the default",
    "triu_indices.dtype": "PyTorch's schema has a number for the default",
    # ----
    # matrices and layers
    **dict.fromkeys([f"{place}{name}.out_dtype" for place in ("", "Tensor.") for name in ("mm", "bmm", "addmm",
                     "baddbmm")], "PyTorch has it for half types on CUDA alone"),
    "lu.out": "PyTorch takes it by place alone, or from a wrapper",
    "layer_norm.cudnn_enable": "it is the function of nn.functional, which has no such switch",
    "group_norm.cudnn_enabled": "it is the function of nn.functional, which has no such switch",
    # ----
}

# Functions whose result has a shape that depends on values: they read them on the host, which a recording refuses.
READ_ON_HOST = {"masked_select", "nonzero"}


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


def own_sample(name: str, parameter: str) -> str | None:
    """The key in SAMPLES for a function's parameter, None without one. In-place forms use their function's."""
    keys = f"{name}.{parameter}", f"{name.removesuffix('_')}.{parameter}"
    return next((key for key in keys if key in SAMPLES), None)


def sample(name: str, parameter: str, kind: str = ""):
    """A value for a parameter: a T, or anything else as it is. KeyError if there is none."""
    own = own_sample(name, parameter)
    return SAMPLES[own] if own else DEFAULTS["number" if kind == "number" else parameter]


def made(value, library, **options):
    """A sample in a library: its tensors, also those in tuples and lists, are that library's."""
    if isinstance(value, (T, D)):
        return value.of(library, **options)
    if isinstance(value, (tuple, list)):
        return type(value)(made(each, library, **options) for each in value)
    return value
