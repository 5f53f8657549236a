"""Every elementwise function, activation and loss, and reductions of rows, forward and gradient, at zeros, infinities,
NaN, and numbers that are very small or very large: as PyTorch, but for what EXCEPT lists."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gpunet
from gpunet.ops.linear import bias_relu
from tests.oracle import Names, Ours, Torch

torch = pytest.importorskip("torch")
OURS, THEIRS = Ours(), Torch()

TINY, HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
SIZES = (0.0, TINY / 8, TINY * 4, 1e-3, 0.5, 1.0, 3.0, 30.0, 200.0, 1000.0, HUGE / 2, np.inf)
NUMBERS = np.array([*SIZES, *(-x for x in SIZES), np.nan], np.float32)
ALL, FEW = np.meshgrid(NUMBERS, NUMBERS, indexing="ij")
X, XY = {"x": NUMBERS}, {"x": ALL.reshape(-1), "y": FEW.reshape(-1)}
ROWS = {"x": np.stack([NUMBERS, np.full_like(NUMBERS, 0.75), np.full_like(NUMBERS, -2.0)], 1)}

ONE = """abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac
lgamma log log10 log1p log2 logit nan_to_num neg rad2deg reciprocal round rsqrt sigmoid sign sin sinc sinh sqrt square
tan tanh trunc celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish relu relu6 selu silu
softplus softshrink softsign tanhshrink rrelu""".split()
TWO = """add sub mul div atan2 copysign fmax fmin fmod hypot logaddexp logaddexp2 maximum minimum pow remainder xlogy
float_power clamp""".split()
LOSSES = """l1_loss mse_loss huber_loss smooth_l1_loss binary_cross_entropy_with_logits kl_div poisson_nll_loss
hinge_embedding_loss multilabel_soft_margin_loss""".split()
TEXTS = [*[(f"{name}(x)", X) for name in ONE], *[(f"{name}(x, y)", XY) for name in TWO],
         *[(f"{name}(x, y, reduction='none')", XY) for name in LOSSES], *[(text, X) for text in (
    "logit(x, eps=0.1)", "gelu(x, approximate='tanh')", "softplus(x, 2.0, 3.0)", "softplus(x, -1.0)", "elu(x, -1.0)",
    "celu(x, -2.0)", "leaky_relu(x, -0.1)", "leaky_relu(x, 0.0)", "hardtanh(x, 0, 1)", "threshold(x, 0.5, 2.0)",
    "softshrink(x, 0)", "hardshrink(x, 0)", "x ** 2", "x ** 3", "x ** 0.5", "x ** -1", "x ** 0", "x ** -0.5", "2 ** x",
    "0 ** x", "1 / x", "x / 2", "x % 2", "1 - x", "clamp(x, -1, 1)", "clamp(x, min=0)", "clamp(x, max=0)", "fmod(x, 2)",
    "polygamma(1, x)", "polygamma(2, x)", "float_power(x, -1)", "x.half().float()",
    "x.bfloat16().float()", "x.double()",
    "soft_margin_loss(x, x.detach().sign(), reduction='none')")],
         *[(text, XY) for text in (
    "div(x, y, rounding_mode='trunc')", "lerp(x, y, 0.3)", "lerp(x, y, 0.7)", "lerp(x, y, x)", "addcmul(x, y, y)",
    "addcdiv(x, x, y)", "where(x > 0, x, y)", "clamp(x, max=y)", "masked_fill(x, y > 0, 3)", "softplus(x * y)",
    "huber_loss(x, y, delta=2.0, reduction='none')", "smooth_l1_loss(x, y, beta=2.0, reduction='none')",
    "smooth_l1_loss(x, y, beta=0, reduction='none')", "kl_div(x, y, log_target=True, reduction='none')",
    "poisson_nll_loss(x, y, log_input=False, reduction='none')", "poisson_nll_loss(x, y, full=True, reduction='none')",
    "gaussian_nll_loss(x, y, x.abs() * 0 + 1, reduction='none')",
    "gaussian_nll_loss(x * 0, x * 0, y.abs(), reduction='none')",
    "hinge_embedding_loss(x, y.sign(), reduction='none')", "margin_ranking_loss(x, x * 0, y, reduction='none')",
    "margin_ranking_loss(x, y, x * 0 + 1, reduction='none')", "prelu(x.reshape(1, -1), y)")],
         *[(text, ROWS) for text in (
    "sum(x, 1)", "mean(x, 1)", "nansum(x, 1)", "nanmean(x, 1)", "prod(x, 1)", "var(x, 1)", "std(x, 1)", "amax(x, 1)",
    "amin(x, 1)", "x.max(1)[0]", "x.min(1)[0]", "x.sort(1)[0]", "x.topk(2, 1)[0]", "x.median(1)[0]",
    "x.nanmedian(1)[0]", "cumsum(x, 1)", "cumprod(x, 1)", "cummax(x, 1)[0]", "logsumexp(x, 1)", "logcumsumexp(x, 1)",
    "softmax(x, 1)", "log_softmax(x, 1)", "softmin(x, 1)", "norm(x, dim=1)", "norm(x, 1, 1)", "norm(x, 3, 1)",
    "norm(x, inf, 1)", "norm(x, 0, 1)", "norm(x, -inf, 1)", "norm(x, 0.5, 1)", "normalize(x)", "layer_norm(x, (3,))",
    "rms_norm(x, (3,))", "glu(x.repeat(1, 2))", "cosine_similarity(x, x.flip(1))", "pairwise_distance(x, x.flip(1))",
    "max_pool1d(x, 2, 1)", "avg_pool1d(x, 2, 1)", "adaptive_max_pool1d(x, 2)", "x @ x.t()", "cdist(x, x[4:6])",
    "x.gather(1, x.long().clamp(0, 0))", "triplet_margin_loss(x, x.flip(1), x * 0, reduction='none')",
    "cross_entropy(x, x.long().clamp(0, 0)[:, 0], reduction='none')", "cross_entropy(x, x.flip(1).softmax(1))")]]

# (expression, which of value and gradients, why)
EXCEPT = [(re.compile(text), what, why) for text, what, why in [
    (r"digamma\(x\)|polygamma\(1, x\)", "", "PyTorch's poles are large numbers; ours are infinite"),
    (r"polygamma\(2, x\)", "", "PyTorch has NaN at infinity; ours is the limit"),
    (r"(fmod|remainder)\(x, y\)", "value", "PyTorch divides by numbers below the smallest normal one and gets NaN"),
    (r"x \*\* -?0.5", "", "PyTorch takes the square root, of which that of -inf is NaN; a power of it is not"),
    (r"addcmul\(x, y, y\)", "value", "PyTorch multiplies and adds in one step, where an overflow is no infinity"),
    (r"addcdiv\(x, x, y\)", "gradient by y", "PyTorch squares the divisor, which may be too small for that"),
    (r"nan_to_num\(x\)|copysign\(x, y\)|nan(sum|mean)\(x, 1\)", "gradient",
     "PyTorch multiplies the gradient by 0 where it does not count, and NaN stays; ours is 0"),
    (r"(var|std|layer_norm)\(x, .*", "", "the squares of huge numbers overflow; PyTorch's algorithms differ in where"),
    (r"cumprod\(x, 1\)", "gradient", "PyTorch divides by the elements, hence NaN for an infinite one"),
    (r"gelu\(x\)", "value", "PyTorch's vectors have NaN at infinity with AVX-512, its single elements infinity"),
    (r"logcumsumexp\(x, 1\)", "gradient", "PyTorch loses digits of, and NaN beside, large numbers"),
]]


def found(library, text, arrays, cotangent):
    """{"value": array, "gradient by x": array, ...}, for a gradient of the result that is everywhere `cotangent`."""
    tensors = {name: library.tensor(array, grad=True) for name, array in arrays.items()}
    y = eval(text, {}, Names(library, dict(tensors)))
    seen = {"value": library.array(y)}
    if y.requires_grad:
        seed = library.tensor(np.full(tuple(y.shape), cotangent, library.array(y).dtype))
        for name, g in zip(tensors, library.grad([y], list(tensors.values()), [seed]), strict=True):
            seen[f"gradient by {name}"] = np.zeros(arrays[name].shape) if g is None else library.array(g)
    return seen


def differences(text, arrays, cotangent=1.0):
    ours, theirs = (found(library, text, arrays, cotangent) for library in (OURS, THEIRS))
    for what, expected in theirs.items():
        a, e = ours[what].astype(np.float64), expected.astype(np.float64)
        with np.errstate(all="ignore"):
            same = (a == e) | np.isnan(a) & np.isnan(e) | (np.abs(a - e) <= 1e-6 + 2e-5 * np.abs(e))
        if not same.all():
            at = np.argwhere(~same)
            where = ["; ".join(f"{x[min(i[0] if i.size else 0, len(x) - 1)]}" for x in arrays.values()) for i in at[:3]]
            yield what, f"{text}, {what}: {len(at)} differ, at {where}: {a[~same][:3]}, PyTorch {e[~same][:3]}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cotangent", [1.0, np.nan], ids=["", "NaN stays where it belongs"])
def test_as_pytorch(cotangent):
    wrong = [text for expression, arrays in TEXTS for what, text in differences(expression, arrays, cotangent)
             if not any(e.fullmatch(expression) and re.match(w, what) for e, w, _ in EXCEPT)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_fused_relu_has_the_gradient_of_the_two_ops(device):
    """A kernel of its own at NaN and 0, with infinite and NaN gradients."""
    y, g = np.array([[np.nan, 0, -1, 2]] * 3, np.float32), np.array([[1], [np.inf], [np.nan]], np.float32) + np.zeros(4)
    x = gpunet.tensor(y, device=device, requires_grad=True)
    bias = gpunet.zeros(4, device=device, requires_grad=True)
    found = gpunet.autograd.grad(bias_relu(x, bias), [x, bias], gpunet.tensor(g.astype(np.float32), device=device))
    theirs = torch.tensor(y, requires_grad=True)
    expected = torch.autograd.grad(theirs.relu(), theirs, torch.tensor(g, dtype=torch.float32))[0]
    np.testing.assert_array_equal(found[0].cpu().numpy(), expected.numpy())
    np.testing.assert_array_equal(found[1].cpu().numpy(), expected.sum(0).numpy())
