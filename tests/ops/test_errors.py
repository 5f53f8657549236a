"""Wrong calls: the class of the exception is PyTorch's, and the one sentence says what is wrong and what to do."""

import re

import numpy as np
import pytest

from tests.cases.table import b, f, given, i
from tests.here import is_installed
from tests.oracle import Case, Ours, Torch

ERRORS: list[tuple[Case, str, bool]] = []


def error(text, sentence, *, dtype="float32", torch=True, **inputs):
    """A call that must raise; `sentence` is a regular expression. torch=False: PyTorch does something else."""
    ERRORS.append((Case(text, inputs, (dtype,)), sentence, torch))


# ---- shapes

error("x + y",
      r"add: shapes \(2, 3\) and \(2,\) do not broadcast: sizes 3 and 2 at dimension 1 differ.*reshape or expand",
      x=f(2, 3), y=f(2))
error("where(c, x, y)", "do not broadcast", c=b(2), x=f(3), y=f(3))
error("x @ y", r"matmul: the inner sizes of \(2, 3\) and \(4, 5\) differ \(3 and 4\)", x=f(2, 3), y=f(4, 5))
error("x @ y", r"matmul: shapes \(5,\) and \(4,\) do not broadcast", x=f(5, 2, 3), y=f(4, 3, 2))
error("x @ y", "matmul: vectors of sizes 3 and 4", x=f(3), y=f(4))
error("x @ y", "matmul: both tensors need at least 1 dimension, got 0 and 1; use \\* for numbers", x=f(), y=f(3))
error("mm(x, y)", r"mm: expected tensors of 2 dimensions, got shape \(3,\)", x=f(3), y=f(3, 2))
error("bmm(x, y)", "bmm: batch sizes 2 and 3 differ", x=f(2, 1, 1), y=f(3, 1, 1))
error("dot(x, y)", r"dot: expected two vectors, got shapes \(2, 2\) and \(2,\)", x=f(2, 2), y=f(2))
error("lu_unpack(linalg.lu_factor(x)[0], linalg.lu_factor(x)[1] - 1)", "lu: pivots must be from 1 to 2", x=f(2, 3))
error("linalg.lu_solve(linalg.lu_factor(x)[0], linalg.lu_factor(x)[1] + 2, x)", "lu: pivots must be from 1 to 2",
      x=f(2, 2))
error("lu_unpack(linalg.lu_factor(x)[0], linalg.lu_factor(x)[1].long())", "lu_unpack: expected pivots of type int32",
      x=f(2, 2))
error("cholesky_solve(x, y)", r"cholesky_solve: B of shape \(3, 2\) does not fit input2 of shape \(2, 2\)",
      x=f(3, 2), y=f(2, 2))
error("heaviside(x, 1)", "heaviside: input and values must both be tensors", x=f(2))
error("linear(x, w)",
      r"linear: an input of shape \(4, 2\) does not fit a weight of shape \(5, 3\).*last size must be in_features",
      x=f(4, 2), w=f(5, 3))
error("linear(x, w, v)", r"linear: expected a bias of shape \(5,\)", x=f(4, 3), w=f(5, 3), v=f(3))
error("x.reshape(4, 2)", r"reshape: shape \(4, 2\) is invalid for a tensor of 6 elements", x=f(2, 3))
error("x.reshape(-1, -1)", "reshape: only one dimension can be inferred", x=f(2, 3))
error("x.reshape(-1, 4)", r"reshape: shape \(-1, 4\) is invalid for a tensor of 6 elements", x=f(2, 3))
error("x.reshape(-1, 0)", "reshape", x=f(0, 3))
error("x.t().view(6)", r"view: shape \(6,\) is not compatible with the strides.*use reshape\(\)", x=f(2, 3))
error("x.view(7)", r"view: shape \(7,\) is invalid for a tensor of 6 elements", x=f(2, 3))
error("x.permute(0, 0)", r"permute: \(0, 0\) does not name each dimension of shape \(2, 3\) once", x=f(2, 3))
error("x.permute(0)", "permute", x=f(2, 3))
error("x.t()", r"t: expected at most 2 dimensions, got shape \(1, 2, 3\)", x=f(1, 2, 3))
error("x.expand(4, 3)", "expand: size 4 at dimension 0 does not match the existing size 2", x=f(2, 3))
error("x.expand(3)", r"expand: 1 sizes \(3,\) were given for a tensor of 2 dimensions", x=f(2, 3))
error("x.expand(-1, 2, 3)", "expand: the new leading dimension 0 needs a size, not -1", x=f(2, 3))
error("x.flatten(1, 0)", "flatten: start_dim 1 comes after end_dim 0", x=f(2, 3))
error("x.narrow(1, 2, 2)", "narrow: start 2 and length 2 do not fit in dimension 1 of size 3", x=f(2, 3))
error("x.select(0, 2)", "select: index 2 is out of range for dimension 0 of size 2", x=f(2, 3))
error("x.split([1, 1], 1)", r"split: sizes \[1, 1\] sum to 2, but dimension 1 has size 3", x=f(2, 3))
error("x.split(0)", "split: the size of a piece must be positive, got 0", x=f(2, 3))
error("x.chunk(0)", "chunk: the number of chunks must be positive, got 0", x=f(2, 3))
error("x.unflatten(1, (2, 2))", "unflatten: shape", x=f(2, 3))
error("cat([x, y])", r"cat: shapes \(2, 3\) and \(2, 2\) of entries 0 and 1 differ in a dimension other than 0",
      x=f(2, 3), y=f(2, 2))
error("cat([z, x, x, y])", r"shapes \(2, 3\) and \(2, 2\) of entries 1 and 3", x=f(2, 3), y=f(2, 2), z=f(0))
error("cat([x, y], 1)", "cat", x=f(2, 3), y=f(2))
error("cat([])", "cat: expected at least one tensor")
error("cat([x, x])", "cat: entry 0 is a 0-d tensor, and these cannot be joined; use stack", x=f())
error("stack([])", "stack: expected at least one tensor")
error("stack([x, y])", r"stack: all tensors must have one shape, got \(2, 3\) for entry 0 and \(3,\) for entry 1",
      x=f(2, 3), y=f(3))
error("gather(x, 0, k)", r"gather: index shape \(2, 4\) does not fit input shape \(2, 3\) along dim 0", x=f(2, 3),
      k=i(2, 4, high=1))
error("gather(x, 0, k)", "gather", x=f(2, 3), k=i(2, high=1))
error("zeros(2, -1)", r"a tensor cannot have a negative size: \(2, -1\)")

# ---- dimensions and indices

for call in ("x.sum(2)", "x.mean(-3)", "x.amax(2)", "x.argmax(2)", "x.max(2)", "x.softmax(2)", "x.log_softmax(-3)",
             "x.unbind(2)", "x.split(1, 2)", "x.flip(2)", "x.squeeze(2)", "x.transpose(0, 2)", "x.select(2, 0)",
             "x.narrow(2, 0, 1)", "x.movedim(2, 0)", "x.flatten(2)", "cat([x, x], 2)", "x.logsumexp(2)", "x.var(2)",
             "x.prod(2)", "x.all(2)", "x.permute(0, 2)", "x.index_select(2, k)", "x.gather(2, k)"):
    error(call, r"dimension out of range: expected one between -2 and 1, got -?[23]", x=f(2, 3), k=i(2, 2, high=1))
error("x.unsqueeze(3)", "unsqueeze: dimension out of range: expected one between -3 and 2, got 3", x=f(2, 3))
error("stack([x, x], 3)", "stack: dimension out of range: expected one between -3 and 2, got 3", x=f(2, 3))
error("x.sum(1)", "sum: dimension out of range: expected one between -1 and 0, got 1", x=f())
error("x.sum((0, 0))", "sum: dimension 0 appears twice", x=f(2, 3))
error("x.mean((0, -2))", "mean: dimension 0 appears twice", x=f(2, 3))
error("x[2]", "index 2 is out of range for dimension 0 with size 2", x=f(2, 3))
error("x[0, -4]", "index -4 is out of range for dimension 1 with size 3", x=f(2, 3))
error("x[0, 0, 0]", "too many indices for tensor of dimension 2: 3 were given", x=f(2, 3))
error("x[[2]]", "out of bounds|out of range", x=f(2, 3))
error("x[c]", r"the shape of the mask \(3,\) does not match the shape of the indexed tensor \(2, 3\) from dimension 0",
      x=f(2, 3), c=b(3))
error("x[[0, 1], [0, 1, 2]]", "index tensors cannot be broadcast together", x=f(2, 3))
error("x[::-1]", "slice: the step must be greater than zero; use flip", x=f(2, 3))
for _type in ("float32", "int8", "int16"):
    error("x[y]", f"tensors used as indices must be int64, int32 or bool, got gpunet.{_type}; use .long", x=f(2, 3),
          y=given(_type, 1, 0))
error("index_select(x, 0, y)", "index_select: the index must be an int64 or int32 tensor, got gpunet.uint8", x=f(2, 3),
      y=given("uint8", 1, 0))
error("x.amax(1)", r"amax: a dimension of size 0 has no largest element; shape \(2, 0\)", x=f(2, 0))
error("x.argmin(1)", r"argmin: expected a dimension of nonzero size, got shape \(2, 0\)", x=f(2, 0))
error("x.argmax()", "argmax", x=f(0))
error("x.max(0)", "max", x=f(0))
error("x.max()", r"max: a tensor without elements, of shape \(0,\), has no extreme one; give a dim", x=f(0))
error("index_select(x, 0, k)", "out of bounds|out of range", x=f(2, 3), k=given("int64", 2))
error("index_select(x, 0, k)", "index_select: the index must have at most one dimension", x=f(2, 3), k=i(1, 1, high=1))
error("gather(x, 0, k)", "out of bounds|out of range", x=f(2, 3), k=given("int64", 5, 0, shape=(1, 2)))

# ---- types and values

error("x - y", "sub: subtraction of two bool tensors is not defined; use logical_xor", x=b(2), y=b(2))
error("-x", "neg: the sign of a bool tensor cannot be changed; use ~ or logical_not", x=b(2))
error("x & y", "bitwise operations are defined for integers and bool, not for gpunet.float32", x=f(2), y=i(2))
error("~x", "bitwise_not: ~ is defined for integers and bool, not for gpunet.float32", x=f(2))
error("x.mean()", "mean: the input must have a floating-point type, got gpunet.int64; convert it with .float()", x=i(3))
error("x.var()", "var: the input must have a floating-point type", x=i(3))
error("x.softmax(0)", "softmax: the input must have a floating-point type, got gpunet.int64", x=i(3))
error("gelu(x)", "gelu: defined for floating-point types, not for gpunet.int64; use .float\\(\\)", x=i(3))
error("x @ y", "matmul: expected two tensors of one type, got gpunet.float32 and gpunet.float64", x=f(2, 2),
      y=given("float64", 1, 2))
error("linear(x, w)", "linear: input type gpunet.float32 and weight type gpunet.float64 differ", x=f(2, 2),
      w=given("float64", 1, 2, shape=(1, 2)))
error("where(x, x, x)", "where: the condition must be a bool tensor, got gpunet.float32", x=f(2))
error("masked_fill(x, y, 1)", "masked_fill: the mask must be a bool tensor, got gpunet.int64", x=f(2), y=i(2))
error("gather(x, 0, k)", "gather: the index must be an int64 or int32 tensor, got gpunet.int16", x=f(2),
      k=given("int16", 0))
error("x ** -1", "pow: integers to negative integer powers are not allowed", x=i(3, low=1))
error("x // 0", "floor_divide: division by zero", x=i(3))
error("x % 0", "remainder: division by zero", x=i(3))
error("x // y", "floor_divide: division by zero", x=i(3), y=given("int64", 1, 0, 1))
error("x + None", "add: expected a Tensor or a number, got NoneType", x=f(2))
error("x + 'a'", "add: expected a Tensor or a number, got str", x=f(2))
error("exp(2.0)", "exp: expected a Tensor, got float")
error("add(1, 2)", "add: expected a Tensor, got int, int", torch=False)
error("clamp(x)", "clamp: give at least one of min and max", x=f(2))
error("div(x, 2, rounding_mode='up')", "div: rounding_mode must be None, 'trunc' or 'floor', got 'up'", x=f(2))
error("gelu(x, approximate='no')", "gelu: approximate must be 'none' or 'tanh', got 'no'", x=f(2))
error("x.item()", r"item: a tensor of shape \(2, 3\) has 6 elements, not one; use tolist\(\)", x=f(2, 3))
error("bool_of(x)",
      r"the truth of a tensor with more than one element, or none, is not defined; use any\(\) or all\(\)", x=f(2))
error("len_of(x)", r"len\(\) of a 0-d tensor", x=f())
error("iter_of(x)", "iteration over a 0-d tensor", x=f())
error("index_of(x)", "only .*integer tensors", x=f())
error("x.requires_grad_()", "only tensors of floating-point type can require gradients, this one is gpunet.int64",
      x=i(2))
error("arange(0, 5, 0)", "arange: the step must not be zero")
error("arange(5, 0)", "arange: the end 0 cannot be reached from 5 with step 1")
error("linspace(0, 1, -1)", "linspace: the number of steps must not be negative, got -1")
error("full((2,), 'a')", "expected a Tensor or a number, got str")
error("randint(3, 3, (2,))", "randint: expected low < high, got 3 and 3")
error("normal(0.0, -1.0, (2,))", "normal: the standard deviation must not be negative, got -1")
error("dropout(x, 1.5)", "dropout: the probability must be between 0 and 1, got 1.5", x=f(2), torch=False)
error("eye(-1)", "negative size")

error("hypot(x, x)", "hypot: defined for floating-point types, not for gpunet.int64; use .float()", x=i(3))
error("logaddexp(x, x)", "logaddexp: defined for floating-point types", x=i(3))
error("addcdiv(x, x, x)", "addcdiv: defined for floating-point types", x=i(3))
error("lerp(x, y, 0.5)", "lerp: expected type gpunet.float32 for `end`, got gpunet.float64", x=f(1),
      y=given("float64", 1))
error("isclose(x, y)", "isclose: both tensors must have one type, got gpunet.float32 and gpunet.int64", x=f(2), y=i(2))
error("isclose(x, x, rtol=-1)", "isclose: rtol and atol must not be negative, got -1 and 1e-08", x=f(2))
error("fmod(x, 0)", "fmod: division by zero", x=i(3))
error("x << 1", "bitwise operations are defined for integers and bool, not for gpunet.float32", x=f(2))
error("x << x", "bitwise_left_shift: not defined for bool tensors", x=b(2))
error("isin(x, x)", "isin: not defined for bool tensors", x=b(2))
error("fill(x, x)", r"fill: the value must be a number or a 0-d tensor, got shape \(2,\)", x=f(2))
error("positive(x)", "positive: \\+ is not defined for bool tensors", x=b(2))
error("polygamma(-1, x)", "polygamma: n must not be negative, got -1", x=f(2))

# ---- activations

error("elu(x)", "elu: defined for floating-point types, not for gpunet.int64; use .float()", x=i(3))
error("leaky_relu(x)", "leaky_relu: defined for floating-point types", x=i(3))
error("celu(x, 0.0)", "celu: alpha must not be 0", x=f(3))
error("glu(x)", r"glu: expected an even size to halve, got shape \(3,\) and dim 0", x=f(3))
error("hardtanh(x, 1, -1)", "hardtanh: min_val must not be above max_val, got 1 and -1", x=f(3))
error("hardtanh(x)", "hardtanh: not defined for gpunet.uint8 with limits -1.0 and 1.0", x=given("uint8", 1))
error("softshrink(x, -1)", "softshrink: lambd must not be negative, got -1", x=f(3))
for name in ("softmin", "log_softmax", "gumbel_softmax", "normalize"):
    error(f"nn.functional.{name}(x, 2)", f"^{name}: the input must have a floating-point type, got gpunet.int64",
          x=f(2, 3, 4), dtype="int64")
for name in ("dropout1d", "dropout2d", "dropout3d"):
    error(f"nn.functional.{name}(x)", f"^{name}: the input must have a floating-point type", x=f(2, 3, 4, 5, 6)
          if name[-2] == "3" else f(2, 3, 4, 5) if name[-2] == "2" else f(2, 3, 4), dtype="int64")
error("ldexp(x, 3)", "ldexp: other must be a Tensor, got int; use input", x=f(3))
error("rrelu(x, 0.5, 0.1)", "rrelu: lower must not be above upper, got 0.5 and 0.1", x=f(3))
error("prelu(x, w)", r"prelu: expected one weight or 5, .* shape \(2, 5\), got weights of shape \(3,\)", x=f(2, 5),
      w=f(3))
error("prelu(x, w)", "prelu: input type gpunet.int64 and weight type gpunet.float32 differ", x=i(2), w=f(1))
error("dropout2d(x, 2.0)", "dropout: the probability must be between 0 and 1, got 2.0", x=f(2))

# ---- order and statistics

error("cumsum(x, 2)", "cumsum: dimension out of range: expected one between -2 and 1, got 2", x=f(2, 3))
error("logcumsumexp(x, 0)", "logcumsumexp: defined for floating-point types", x=i(3))
error("sort(x, 2)", "sort: dimension out of range", x=f(2, 3))
error("topk(x, 4)", "topk: k must be from 0 to 3, the size of dimension -1, got 4", x=f(2, 3))
error("topk(x, 1)", "topk: not defined for bool tensors", x=b(3))
error("kthvalue(x, 0)", "kthvalue: k must be from 1 to 3", x=f(3))
error("median(x)", "median: not defined for bool tensors", x=b(3))
error("median(x, 1)", "median: expected a dimension of nonzero size", x=f(3, 0))
error("quantile(x, 0.5)", "quantile: the input must be float32 or float64, got gpunet.int64", x=i(3))
error("quantile(x, 1.5)", "quantile: q must be from 0 to 1, got 1.5", x=f(3))
error("quantile(x, q)", r"quantile: q must be from 0 to 1, got \[0.5, 2.0\]", x=f(3), q=given("float32", 0.5, 2.0))
error("quantile(x, 0.5, interpolation='no')", "quantile: interpolation must be one of linear", x=f(3))
error("quantile(x, 0.5)", "quantile: the input has no elements", x=f(0))
error("searchsorted(x, y, side='up')", "searchsorted: side must be 'left' or 'right', got 'up'", x=f(3), y=f(2))
error("searchsorted(x, y, side='left', right=True)", "searchsorted: side='left' and right=True contradict", x=f(3),
      y=f(2))
error("searchsorted(x, y)", r"searchsorted: the sorted sequence .* \(2, 3\) and \(3, 3\)", x=f(2, 3), y=f(3, 3))
error("bucketize(x, y)", r"bucketize: the boundaries must be a vector, got shape \(2, 2\)", x=f(3), y=f(2, 2))
error("bincount(x)", r"bincount: expected a vector of integers, got gpunet.int64 and shape \(2, 2\)", x=i(2, 2))
error("bincount(x)", "bincount: expected no negative integers, got -1", x=given("int64", 2, -1))
error("bincount(x, w)", r"bincount: expected one weight for each of 2 elements, got shape \(3,\)", x=i(2), w=f(3))
error("histc(x)", "histc: the input must have a floating-point type", x=i(3))
error("histc(x, 0)", "histc: the number of bins must be positive, got 0", x=f(3))
error("histc(x, 3, 2, 1)", "histc: max must not be below min, got 2 and 1", x=f(3))
error("nanmean(x)", "nanmean: the input must have a floating-point type", x=i(3))
error("cdist(x, y)", r"cdist: expected \[..., P, M\] and \[..., R, M\], got shapes \(2, 3\) and \(2, 2\)", x=f(2, 3),
      y=f(2, 2))
error("cdist(x, x, -1)", "cdist: p must not be negative, got -1", x=f(2, 3))
error("cosine_similarity(x, x)", "cosine_similarity: the input must have a floating-point type", x=i(2, 3))

# ---- losses

error("cross_entropy(x, k)",
      r"cross_entropy: the target of row 1 is 3, but there are 3 classes: targets must be from 0 to 2",
      x=f(2, 3), k=given("int64", 0, 3))
error("cross_entropy(x, k)", "cross_entropy: the target of row 0 is -1", x=f(2, 3), k=given("int64", -1, 0))
error("cross_entropy(x, k, reduction='no')", "cross_entropy: reduction must be one of none, mean, sum, got 'no'",
      x=f(2, 3), k=i(2, high=2))
error("cross_entropy(x, k, label_smoothing=1.5)", "cross_entropy: label_smoothing must be between 0 and 1, got 1.5",
      x=f(2, 3), k=i(2, high=2))
error("cross_entropy(x, k)", r"cross_entropy: for an input of shape \(2, 3\) the target must have shape \(2,\)",
      x=f(2, 3), k=i(3, high=2))
error("cross_entropy(x, k)", "cross_entropy: class indices must be an int64 tensor, got gpunet.int16; use target.long",
      x=f(2, 3), k=given("int16", 0, 1))
error("cross_entropy(x, k, w)",
      r"cross_entropy: expected one weight for each of 3 classes, got weights of shape \(2,\)", x=f(2, 3),
      k=i(2, high=2), w=f(2))
error("cross_entropy(x, k)", "cross_entropy: the input must have a floating-point type", x=i(2, 3), k=i(2, high=2))
error("mse_loss(x, y, reduction='no')", "mse_loss: reduction must be one of", x=f(2), y=f(2))
error("mse_loss(x, y)", "do not broadcast", x=f(2), y=f(3))

# ---- joins, diagonals, repeats

error("x.hsplit(2)", "hsplit: dimension 1 of size 3 cannot be split into 2 equal pieces; tensor_split", x=f(2, 3))
error("x.dsplit(1)", r"dsplit: expected at least 3 dimensions, got shape \(2, 3\)", x=f(2, 3))
error("x.tensor_split(0)", "tensor_split: the number of pieces must be positive, got 0", x=f(2, 3))
error("x.tensor_split(2)", "tensor_split: a 0-d tensor cannot be split", x=f())
error("hstack([])", "hstack: expected at least one tensor")
error("vstack([x, y])", r"cat: shapes \(1, 2\) and \(1, 3\) of entries 0 and 1 differ", x=f(2), y=f(3))
error("x.repeat(2)", r"repeat: 1 numbers \(2,\) were given for a tensor of 2 dimensions; tile", x=f(2, 3))
error("x.repeat(-1, 2)", r"repeat: the numbers must not be negative, got \(-1, 2\)", x=f(2, 3))
error("x.repeat_interleave(k, 0)", "repeat_interleave: dimension 0 of size 2 needs as many numbers of repeats",
      x=f(2, 3), k=i(3, high=2))
error("x.repeat_interleave(-1)", "repeat_interleave: the number of repeats must not be negative, got -1", x=f(2))
error("x.roll((1, 2), 0)", r"roll: expected one shift for each dimension, got shifts \(1, 2\) and dimensions \(0,\)",
      x=f(2, 3))
error("x.rot90(1, (0, 0))", "rot90: the two dimensions must differ", x=f(2, 3))
error("x.rot90(1, (0,))", "rot90: expected two dimensions", x=f(2, 3))
error("x.fliplr()", "fliplr: expected at least 2 dimensions", x=f(2))
error("x.flip(0, 0)", "flip: dimension 0 appears twice", x=f(2, 3))
error("meshgrid(x, y, indexing='zz')", "meshgrid: indexing must be 'ij' or 'xy', got 'zz'", x=f(2), y=f(3))
error("broadcast_tensors(x, y)", r"broadcast_tensors: shapes \(2,\) and \(3,\) do not broadcast", x=f(2), y=f(3))
error("x.unfold(0, 3, 1)", "unfold: windows of 3 do not fit in dimension 0 of size 2", x=f(2, 3))
error("x.unfold(0, 1, 0)", "unfold: the step must be positive, got 0", x=f(2, 3))
error("x.diagonal(0, 1, 1)", "diagonal: the two dimensions must differ, got 1 and 1", x=f(2, 3))
error("x.diagonal()", r"diagonal: expected at least 2 dimensions, got shape \(3,\)|dimension", x=f(3))
error("x.diag()", r"diag: expected a vector or a matrix, got shape \(1, 2, 3\)", x=f(1, 2, 3))
error("x.tril()", r"tril: expected at least 2 dimensions, got shape \(3,\)", x=f(3))
error("x.diagonal_scatter(y)", r"diagonal_scatter: the part to be replaced has shape \(2,\), the source \(3,\)",
      x=f(2, 3), y=f(3))
error("x.select_scatter(y, 0, 5)", "select_scatter: index 5 is out of range for dimension 0 of size 2", x=f(2, 3),
      y=f(3))
error("x.slice_scatter(y, 0, 0, 1, 0)", "slice_scatter: the step must be positive, got 0", x=f(2, 3), y=f(3))
error("tril_indices(-1, 2)", "tril_indices: sizes must not be negative, got -1 and 2")
error("x.view(int64)", "view: float32 of shape", x=f(3))

# ---- scattering

error("x.scatter(0, k, y)", r"scatter: values of shape \(1, 3\) are too few for an index of shape \(2, 3\)", x=f(2, 3),
      k=i(2, 3, high=1), y=f(1, 3))
error("x.scatter(0, k, y)", "scatter: the tensor has type gpunet.float32, the values gpunet.int64; convert one",
      x=f(2, 3), k=i(2, 3, high=1), y=i(2, 3))
error("x.scatter(0, k, y)", "scatter: the index must be an int64 or int32 tensor, got gpunet.int16; use .long", x=f(2),
      k=given("int16", 0), y=f(2))
error("x.scatter_add(0, k, y)", r"scatter_add: index shape \(2, 4\) does not fit input shape \(2, 3\) along dim 0",
      x=f(2, 3), k=i(2, 4, high=1), y=f(2, 4))
error("x.scatter_add(0, k, y)", r"index 2 \(element 1 of the indices\) is out of range for a dimension of size 2",
      x=f(2), k=given("int64", 0, 2), y=f(2))
error("x.scatter_reduce(0, k, x, 'top')", "scatter_reduce: reduce must be one of mean, sum, prod, amax, amin, got",
      x=f(2), k=given("int64", 0, 1))
error("x.scatter(0, k, x, reduce='sum')", "scatter: reduce must be 'add' or 'multiply', got 'sum'", x=f(2),
      k=given("int64", 0, 1))
error("x.gather(0, k)", r"index -1 \(element 0 of the indices\) is out of range for a dimension of size 2", x=f(2),
      k=given("int64", -1))
error("x.index_add(0, k, y)",
      r"index_add: for an input of shape \(2, 3\) and 2 indices along dim 0 the source must have shape \(2, 3\)",
      x=f(2, 3), k=given("int64", 0, 1), y=f(3, 3))
error("x.index_add(0, k, y)", "index_add: the index must have at most one dimension, got shape", x=f(2, 3),
      k=i(1, 2, high=1), y=f(2, 3))
error("x.index_copy(0, k, y)", "index_copy: the tensor has type gpunet.float32, the values gpunet.int64", x=f(2, 3),
      k=given("int64", 0, 1), y=i(2, 3))
error("x.index_fill(0, k, y)", r"index_fill: the value must be a number or a 0-d tensor, got shape \(2,\)", x=f(2, 3),
      k=given("int64", 0, 1), y=f(2))
error("x.index_select(0, k)", r"index -1 \(element 0 of the indices\) is out of range for a dimension of size 2",
      x=f(2), k=given("int64", -1))
error("x.index_put((k,), y)", r"indexing: a value of shape \(2,\) does not broadcast to the indexed shape \(3,\)",
      x=f(4), k=given("int64", 0, 1, 2), y=f(2))
error("x.index_put((k,), y)", "index_put: the tensor has type gpunet.float32, the values gpunet.int64", x=f(4),
      k=given("int64", 0), y=i(1))
error("x.take(k)", "out of range", x=f(2, 3), k=given("int64", 6))
error("take_along_dim(x, k, 0)", "take_along_dim: input and indices must have as many dimensions, got 2 and 1",
      x=f(2, 3), k=i(2, high=1))
error("x.masked_scatter(c, y)", "masked_scatter: the mask holds at 3 places, but the source has 2 elements", x=f(3),
      c=given("bool", True, True, True), y=f(2))
error("masked_select(x, x)", "masked_select: the mask must be a bool tensor, got gpunet.float32", x=f(3))

# ---- numbers that do not fit, and dimensions of which there are too few

for number in ("300", "-300", "1e999", "1e999 - 1e999"):
    error(f"full((2,), {number}, dtype=uint8)", r"the number (-?300|nan|inf) cannot be converted to gpunet.uint8, "
          "whose values are from 0 to 255")
error("x.fill_(200)", "the number 200 cannot be converted to gpunet.int8", x=f(2), dtype="int8")
for _type, _numbers in {"uint8": ("[300]", "[[1], [-1.5]]", "(2.0, 256)"), "int8": ("[200]", "[-129]"),
                        "int32": ("[2**31]", "[1e999]", "[1e999 - 1e999]", "[-3e9]"), "int64": ("[1e20]",)}.items():
    for _data in _numbers:
        error(f"tensor({_data}, dtype={_type})", f"the number .* cannot be converted to gpunet.{_type}, whose values")
# PyTorch's error for more than 64 bits is another one for lists of Python's own numbers, a ValueError.
for _data in ("[2**63]", "2**64", "[1, 2**70]"):
    error(f"tensor({_data})", "the number .* cannot be converted to gpunet.int64", torch=False)
for call, _type in (("full((2,), 1e39)", "float32"), ("full((2,), 7e4, dtype=float16)", "float16"),
                    ("x.fill_(-1e39)", "float32"), ("x.half().masked_fill(x > 0, -1e9)", "float16"),
                    ("x.byte().masked_fill(x > 0, tensor(300))", "uint8"), ("x.byte().clamp(0, 300)", "uint8"),
                    ("x.byte().clamp(min=300)", "uint8"), ("x.char().clamp_(-200, 100)", "int8"),
                    ("x.long().clamp(max=2**63)", "int64"), ("x.byte().add(1, alpha=300)", "uint8"),
                    ("add(x.int(), x.int(), alpha=2**40)", "int32"), ("where(x > 0, x.byte(), 300)", "uint8"),
                    ("where(x > 0, 300, x.byte())", "uint8"), ("x.byte().new_tensor([1, 300])", "uint8"),
                    ("x.byte().__setitem__(0, 300)", "uint8"), ("x.__setitem__(0, 1e39)", "float32"),
                    ("x.byte().index_fill(0, x.long() * 0, tensor(300))", "uint8"),
                    ("nn.functional.threshold(x.byte(), 1, 300)", "uint8"),
                    ("nn.functional.hardtanh(x.char(), -200, 200)", "int8"),
                    ("x.byte().scatter(0, x.long() * 0, 300)", "uint8"), ("x.byte() ** 300", "uint8"),
                    ("x.char().pow_(200)", "int8")):
    error(call, f"the number .* cannot be converted to gpunet.{_type}, whose values are", x=f(2, low=0.5, high=0.9))
for call in ("x + 2**64", "x * -2**64", "x == 2**64", "x.bool() - -2**63 - 1 + 2**80"):
    error(call.replace("x", "x.byte()"), "the number .* cannot be converted to gpunet.int64", x=f(2), torch=False)
for _type in ("byte", "char", "long"):
    error(f"x.{_type}() ** -1", "pow: integers to negative integer powers are not allowed", x=f(2))
error("arange(0, 1, 0.5, dtype=int64)", "arange: the step must not be zero, which it is as gpunet.int64", torch=False)
for call in ("bernoulli(x)", "bernoulli(x, 1.5)", "x.bernoulli_(-0.1)", "x.bernoulli_(1e999 - 1e999)",
             "x.bernoulli_(x)"):
    error(call, "bernoulli_?: probabilities must be from 0 to 1, got", x=given("float32", 0.5, 1.5))
error("normal(x, -x)", "normal: the standard deviation must not be negative, got -0.5", x=given("float32", 0.5, 1.5))
error("x.log_normal_(1.0, 0.0)", "log_normal_: the standard deviation must be positive, got 0.0", x=f(2))
error("x.cauchy_(0.0, -1.0)", "cauchy_: sigma must be positive, got -1.0", x=f(2))
for call in ("randint(0, 300, (2,), dtype=uint8)", "randint(-5, 0, (2,), dtype=uint8)", "x.byte().random_(0, 300)",
             "randint(0, 2**31 + 5, (2,), dtype=int32)", "x.half().random_(0, 70000)", "randperm(300, dtype=uint8)"):
    error(call, "(randint|random_|randperm): the integers from .* cannot be cast to gpunet", x=f(2))
error("randperm(-1)", "randperm: n must not be negative, got -1")
error("nn.functional.one_hot(k)", "index -1 .element 1", k=given("int64", 0, -1))
error("histc(x, 3, 0, 1e999)", "histc: min and max must be finite, got 0 and inf", x=f(3))
error("arange(0, 1e999)", "arange: start and end must be finite, got 0 and inf")
error("x.narrow(0, 0, 1)", "narrow: a 0-d tensor has no dimension", x=f())
error("x.narrow(0, 3, 0)", "narrow: start 3 is out of range for dimension 0 of size 2", x=f(2))
error("movedim(x, (0, 1), (0,))", r"movedim: source and destination must be as many dimensions, each named once, got "
      r"\[0, 1\] and \[0\]", x=f(2, 3))
error("movedim(x, (0, 0), (0, 1))", "movedim: .* each named once", x=f(2, 3))
error("movedim(x, (0, 1), (1, 1))", "movedim: .* each named once", x=f(2, 3))
error("cat([x, None])", "cat: expected tensors, got NoneType for entry 1", x=f(2))
error("masked_fill(x, x > 0, x)", r"masked_fill: the value must be a number or a 0-d tensor, got shape \(2,\)", x=f(2))
error("x.uniform_(3, 1)", r"uniform_: the numbers are from \[a, b\), so a must not be larger than b; got 3 and 1",
      x=f(2))
error("index_select(x, 0, k)", "index_select: a 0-d tensor has one element, but 2 are asked for", x=f(),
      k=i(2, high=0))
error("nn.functional.max_pool1d(x, 1)", r"max_pool1d: only the batch may have size 0, got an input of shape \(0, 10\)",
      x=f(0, 10))
error("nn.functional.adaptive_avg_pool2d(x, 2)", "adaptive_avg_pool2d: expected an input of shape", x=f(2, 2))
error("multilabel_margin_loss(x, k)", "multilabel_margin_loss: the input has shape", x=f(5, 4), k=i(4, high=3))
error("interpolate(x, (2, 2), mode='bilinear')", "interpolate, mode 'bilinear': the input must have a floating-point",
      x=i(1, 1, 2, 3))
error("pad(x, (3, -2), mode='circular')", "pad: mode 'circular' can add at most 2 elements to dimension 2",
      x=f(1, 1, 4))
error("linalg.lstsq(x, x, driver='qr')", "lstsq: the driver must be one of gelsy, gels, gelsd, gelss, got 'qr'",
      x=f(2, 2))
error("addbmm(x[0], x, x)", "addbmm: the inner sizes", x=f(2, 3, 4))

error("cross_entropy(x, x, ignore_index=1)", "cross_entropy: ignore_index is for class indices", x=f(2, 3))
error("multilabel_margin_loss(x, k)", "multilabel_margin_loss: expected an input of shape", x=f(0), k=i(0))

error("multi_margin_loss(x, k, weight=x)", "multi_margin_loss: expected one weight for each of 4 classes", x=f(2, 4),
      k=i(2, high=3))
error("linspace(0, 3, 1.0)", "linspace: the number of steps must be an integer, got 1.0")

# ---- products

error("mv(x, y)", r"mv: expected a matrix and a vector, got a tensor of shape \(3,\)", x=f(3), y=f(3))
error("outer(x, y)", r"outer: expected two vectors, got a tensor of shape \(2, 3\)", x=f(2, 3), y=f(3))
error("inner(x, y)", r"inner: the last sizes of \(2, 3\) and \(4,\) differ", x=f(2, 3), y=f(4))
error("addmm(x, y, y)", "inner sizes", x=f(2), y=f(2, 3))
error("addmm(x, y, y.t())", r"addmm: the input's shape \(3,\) does not broadcast to that of the product, \(2, 2\)",
      x=f(3), y=f(2, 3))
error("addr(x, x[0], x[0], alpha=0.5)", "addr: for integer tensors alpha and beta must be integers, got 0.5 and 1",
      x=i(2, 2))
for call in ("add", "sub", "rsub"):
    error(f"{call}(x, x, alpha=0.5)", f"{call}: for integer tensors alpha must be an integer, got 0.5", x=i(2))
error("tensordot(x, y, 1)", "tensordot: sizes 3 and 4 of dimensions 1 and 0 differ", x=f(2, 3), y=f(4, 2))
error("tensordot(x, x, ([0], [0, 1]))", "tensordot: 1 dimensions of one tensor meet 2 of the other", x=f(2, 2))
error("cross(x, x)", r"cross: no dimension of size 3 in \(2, 4\)", x=f(2, 4))
error("cross(x, x, 0)", "cross: dimension 0 must have size 3", x=f(2, 3))
error("linalg.cross(x, y)", "cross: dimension 1 must have size 3", x=f(5, 3), y=f(5, 1))
error("trace(x)", "trace: expected a matrix", x=f(3))
error("diff(x)", "diff: expected at least 1 dimension, got a 0-d tensor", x=f())
error("diff(x, -1)", "diff: the order must not be negative, got -1", x=f(3))
error("einsum('ij,jk->ik', x)", "einsum: 'ij,jk->ik' names 2 operands, 1 were given", x=f(2, 2))
error("einsum('ij->i', x)", r"einsum: 'ij' in 'ij->i' does not fit an operand of shape \(2,\)", x=f(2))
error("einsum('i->i', x)", r"einsum: 'i' in 'i->i' does not fit an operand of shape \(2, 2\): give a letter for each",
      x=f(2, 2))
error("einsum('i,i->i', x, y)", "einsum: dimension 'i' has size 3 in one operand and 2 in another", x=f(2), y=f(3))
error("einsum('ii', x)", "einsum: dimension 'i' has sizes 1 and 3 in one operand", x=f(1, 3))
error("einsum('i->j', x)", "einsum: the result of 'i->j' must have each of its letters once.*'j' is not so", x=f(2))
error("einsum('i->ii', x)", "einsum: the result of 'i->ii' must have each of its letters once", x=f(2))
error("einsum('i1->i', x)", "einsum: 'i1->i' may have letters", x=f(2, 2))
error("einsum('ij')", "einsum: expected at least one operand")

# ---- linear algebra

error("linalg.inv(x)", r"inv: expected square matrices, got shape \(2, 3\)", x=f(2, 3))
# torch.linalg.LinAlgError is a RuntimeError too.
error("linalg.inv(x)", "inv: a matrix is singular, it has no inverse", x=given("float32", 1, 2, 2, 4, shape=(2, 2)),
      torch=False)
error("linalg.inv(x)", "inv: expected float32 or float64, got gpunet.int64; convert it with .float", x=i(2, 2))
error("linalg.det(x)", r"det: expected a matrix or a batch of matrices, got shape \(3,\)", x=f(3))
error("linalg.solve(x, y)", "solve: a matrix is singular", x=given("float32", 1, 2, 2, 4, shape=(2, 2)), y=f(2),
      torch=False)
error("linalg.solve(x, y)", r"solve: B of shape \(3, 1\) does not fit A of shape \(2, 2\): it needs 2 rows", x=f(2, 2),
      y=f(3, 1))
error("linalg.cholesky(x)", "cholesky: a matrix is not positive-definite", torch=False,
      x=given("float32", 1, 2, 2, 1, shape=(2, 2)))
error("linalg.eigh(x, UPLO='X')", "eigh: UPLO must be 'L' or 'U', got 'X'", x=f(2, 2))
error("linalg.qr(x, mode='full')", "qr: the mode must be one of reduced, complete, r, got 'full'", x=f(2, 2))
error("linalg.svd(x)", "svd: expected a matrix or a batch of matrices", x=f(2))
error("linalg.multi_dot([x])", "multi_dot: expected at least two tensors, got 1", x=f(2, 2))
error("linalg.vector_norm(x)", "vector_norm: the input must have a floating-point type", x=i(2))
error("linalg.vector_norm(x, inf)", "vector_norm: the norm of order inf of no elements is not defined", x=f(0))
error("linalg.matrix_norm(x, 3)", "matrix_norm: the order must be one of fro, nuc, inf, -inf, 1, -1, 2, -2, got 3",
      x=f(2, 2))
error("linalg.norm(x, 2)", r"norm: with an order but no dim the input must be a vector or a matrix, got shape",
      x=f(2, 2, 2))
error("multinomial(x, 3)", "multinomial: cannot draw 3 of 2 categories", x=f(2, low=0.1))
error("multinomial(x, 1)", "multinomial: the sum of the probabilities must be positive", x=given("float32", 0, 0))
error("multinomial(x, 1)", "multinomial: the probabilities must be finite and not negative", x=given("float32", -1, 3))
error("multinomial(x, 1)", "multinomial: the input must have a floating-point type", x=i(3))
error("x.exponential_(-1.0)", "exponential_: the rate must be positive, got -1.0", x=f(3))
error("x.geometric_(1.5)", "geometric_: the probability must be above 0 and below 1, got 1.5", x=f(3))
error("logspace(0, 1, -1)", "logspace: the number of steps must not be negative, got -1")

# ---- images

error("conv2d(x, w)", r"conv2d: expected an input of shape \(N, 3, H, W\) or \(3, H, W\), got \(8, 1, 9, 9\)",
      x=f(8, 1, 9, 9), w=f(4, 3, 3, 3))
error("conv1d(x, w)", r"conv1d: expected an input of shape \(N, 3, L\) or \(3, L\), got \(2, 4\)", x=f(2, 4),
      w=f(4, 3, 3))
error("conv2d(x, w)", r"conv2d: expected an input of shape .*, got \(3, 9\)", x=f(3, 9), w=f(4, 3, 3, 3))
error("conv2d(x, w)", r"conv2d: expected a weight of 4 dimensions, got shape \(4, 3, 3\)", x=f(2, 3, 9, 9),
      w=f(4, 3, 3))
error("conv2d(x, w, groups=2)", "conv2d: groups must be positive and divide the weight's first size, got groups=2",
      x=f(2, 4, 9, 9), w=f(3, 2, 3, 3))
error("conv2d(x, w, v)", r"conv2d: expected a bias of shape \(4,\), got \(3,\)", x=f(2, 3, 9, 9), w=f(4, 3, 3, 3),
      v=f(3))
error("conv2d(x, w)", "conv2d: input type gpunet.float32 and weight type gpunet.float64 should be the same",
      x=f(1, 1, 2, 2), w=given("float64", 1.0, shape=(1, 1, 1, 1)))
error("conv2d(x, w)", r"conv2d: a kernel of \(3, 3\) taps.*does not fit in an input of \(2, 5\)", x=f(1, 1, 2, 5),
      w=f(1, 1, 3, 3))
error("conv2d(x, w, stride=0)", r"conv2d: stride must be positive, got \(0, 0\)", x=f(1, 1, 5, 5), w=f(1, 1, 3, 3))
error("conv2d(x, w, padding=-1)", "conv2d: negative padding is not supported", x=f(1, 1, 5, 5), w=f(1, 1, 3, 3))
error("conv2d(x, w, stride=2, padding='same')", "conv2d: padding='same' is not supported for strided convolutions",
      x=f(1, 1, 5, 5), w=f(1, 1, 3, 3))
error("conv2d(x, w, stride=(1, 2, 3))", r"conv2d: stride must be one number or 2, got \(1, 2, 3\)", x=f(1, 1, 5, 5),
      w=f(1, 1, 3, 3))
error("conv_transpose1d(x, w, output_padding=1)", "output_padding must be smaller than the stride or the dilation",
      x=f(1, 2, 5), w=f(2, 1, 3))
error("conv_transpose2d(x, w)", r"conv_transpose2d: expected an input of shape \(N, 3, H, W\)", x=f(1, 2, 5, 5),
      w=f(3, 1, 3, 3))
error("max_pool2d(x, 3, padding=2)", "max_pool2d: padding should be at most half of the kernel's extent 3",
      x=f(1, 1, 5, 5))
error("max_pool2d(x, 3)", r"max_pool2d: a window of \(3, 3\) does not fit in an input of \(2, 2\)", x=f(1, 1, 2, 2))
error("max_pool1d(x, 2)", r"max_pool1d: expected an input of shape \(N, C, L\) or \(C, L\), got \(3,\)", x=f(3))
error("nn.functional.avg_pool2d(x, 2, divisor_override=0)", "divisor_override must not be zero", x=f(1, 1, 5, 5))
error("nn.functional.adaptive_avg_pool2d(x, (1, 2, 3))", "output_size must be one number or 2", x=f(1, 1, 5, 5))
error("nn.functional.unfold(x, 3)", "does not fit in an image", x=f(1, 1, 2, 2))
error("nn.functional.fold(x, 3, 2)", r"fold: expected an input of shape \(N, C \* 4, 4\)", x=f(1, 4, 5))
error("nn.functional.batch_norm(x, v, v, training=True)", "should have one element for each channel", x=f(2, 3), v=f(2))
error("nn.functional.batch_norm(x, None, None, training=True)", "expected more than 1 value per channel", x=f(1, 3))
error("nn.functional.batch_norm(x, None, None)", "expected running_mean and running_var to be tensors", x=f(2, 3),
      torch=False)
error("layer_norm(x, (4,))", r"layer_norm: expected an input of shape \(..., 4\), got \(2, 3\)", x=f(2, 3))
error("layer_norm(x, (3,), w)", r"layer_norm: expected a weight of shape \(3,\), got \(2,\)", x=f(2, 3), w=f(2))
error("group_norm(x, 2)", "group_norm: the number of channels must be divisible by num_groups", x=f(2, 3))
error("nn.functional.instance_norm(x)", "expected more than 1 spatial element", x=f(2, 3, 1))
error("nn.functional.pad(x, (1,))", "pad: expected two numbers for each", x=f(2, 3))
error("nn.functional.pad(x, (3, 0), 'reflect')", "pad: mode 'reflect' can add at most 2 elements to dimension 1",
      x=f(2, 3))
error("nn.functional.pad(x, (1, 1), 'reflect')", "pads the last 1, 2 or 3 dimensions", x=f(2, 2, 2, 3))
error("nn.functional.pad(x, (1, 1), 'other')", "pad: mode must be one of constant", x=f(2, 3))
error("nn.functional.pad(x, (-2, -2))", "pad: cropping", x=f(2, 3))
error("nn.functional.interpolate(x, 4, mode='bilinear')", "interpolate: mode 'bilinear' takes an input of 4 dimensions",
      x=f(1, 2, 3))
error("nn.functional.interpolate(x)", "interpolate: give either size or scale_factor", x=f(1, 2, 3))
error("nn.functional.interpolate(x, 4, mode='nearest', align_corners=True)", "align_corners has no meaning",
      x=f(1, 2, 3))
error("nn.functional.interpolate(x, (2, 3))", "expected one number or 1", x=f(1, 2, 3))
error("pixel_shuffle(x, 2)", "pixel_shuffle: the number of channels must be divisible by 4", x=f(1, 6, 2, 2))
error("pixel_unshuffle(x, 2)", "pixel_unshuffle: height and width must be divisible by 2", x=f(1, 1, 3, 2))
error("channel_shuffle(x, 2)", "channel_shuffle: the 3 channels must be divisible by groups, got 2", x=f(1, 3, 2))
error("nn.functional.bilinear(x, x, w)", "bilinear: expected inputs", x=f(2, 3), w=f(2, 3, 4))

BUILTINS = {"bool_of": bool, "len_of": len, "iter_of": iter, "index_of": lambda t: [0][t]}


def raised(library, case):
    tensors = case.tensors(library, case.dtypes[0])
    try:
        eval(case.text, dict(BUILTINS), type("Names", (dict,), {
            "__missing__": lambda self, name: self.find(name),
            "find": staticmethod(lambda name: find(library, name))})(tensors))
    except Exception as exception:
        return exception
    return None


def find(library, name):
    try:
        return library.name(name)
    except AttributeError:
        raise KeyError(name) from None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("case", "sentence", "in_torch"), ERRORS,
                         ids=[f"{n}-{c.id}" for n, (c, _, _) in enumerate(ERRORS)])
def test_error(case, sentence, in_torch):
    ours = raised(Ours(), case)
    assert ours is not None, "raised nothing"
    assert re.search(sentence, str(ours)), f"{type(ours).__name__}: {ours}"
    if in_torch and is_installed("torch"):
        expected = raised(Torch(), case)
        assert expected is not None, f"PyTorch raises nothing where we raise {type(ours).__name__}: {ours}"
        assert isinstance(ours, type(expected)) or isinstance(expected, type(ours)), (
            f"{type(ours).__name__}: {ours}; PyTorch: {type(expected).__name__}: {expected}")


def test_numpy_operands_are_named():
    x = Ours().tensor(np.ones(2))
    for call in (lambda: x @ np.ones(2), lambda: x.maximum(np.ones(2))):
        with pytest.raises(TypeError, match="got a NumPy array; make it a tensor with gpunet.tensor"):
            call()


def test_devices_do_not_mix(gpu):
    x, y = Ours().tensor(np.ones(2)), Ours(gpu).tensor(np.ones(2))
    for call in (lambda: x + y, lambda: y @ x, lambda: y.add_(x), lambda: x.add_(y)):
        with pytest.raises(RuntimeError, match=f"(?=.*cpu)(?=.*{gpu}).*"):
            call()
    assert (y + Ours().tensor(np.array(2.0))).device.type == gpu  # a number in a 0-d CPU tensor may join any device
