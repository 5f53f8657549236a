"""Every function of PyTorch that networks are written with is there, and takes its arguments by PyTorch's names."""

import inspect
import re

import pytest

import gpunet

torch = pytest.importorskip("torch")

NAMES = """
    T abs acos acosh add addcdiv addcmul addmm addmv all allclose amax amin any arange argmax argmin argsort asin
    asinh atan atan2 atanh baddbmm bernoulli bfloat16 bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor bmm bool broadcast_tensors broadcast_to bucketize cat cdist ceil chunk clamp
    clamp_max clamp_min clone column_stack constant_pad_nd contiguous copysign cos cosh count_nonzero cross cummax
    cummin cumprod cumsum deg2rad diag diag_embed diagflat diagonal diagonal_scatter diff dist div dot double dsplit
    dstack einsum eq equal erf erfc erfinv exp exp2 expand expand_as expm1 eye fill flatten flip fliplr flipud float
    float_power floor floor_divide fmax fmin fmod frac full full_like gather ge gt half hsplit hstack hypot index_add
    index_fill index_put index_select inner int isclose isfinite isin isinf isnan kron le lerp lgamma linspace log
    log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp logical_and logical_not logical_or logical_xor
    logit logsumexp long lt mT masked_fill masked_scatter masked_select matmul max maximum mean median meshgrid min
    minimum mm movedim mul multinomial mv nan_to_num nanmean nanmedian nansum narrow ne neg new_full new_ones
    new_zeros nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool2d nn.functional.adaptive_max_pool1d
    nn.functional.adaptive_max_pool2d nn.functional.alpha_dropout nn.functional.avg_pool1d nn.functional.avg_pool2d
    nn.functional.batch_norm nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits
    nn.functional.celu nn.functional.channel_shuffle nn.functional.conv1d nn.functional.conv2d
    nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.cosine_embedding_loss
    nn.functional.cosine_similarity nn.functional.cross_entropy nn.functional.ctc_loss nn.functional.dropout
    nn.functional.dropout2d nn.functional.elu nn.functional.embedding nn.functional.gaussian_nll_loss
    nn.functional.gelu nn.functional.glu nn.functional.group_norm nn.functional.hardshrink nn.functional.hardsigmoid
    nn.functional.hardswish nn.functional.hardtanh nn.functional.hinge_embedding_loss nn.functional.huber_loss
    nn.functional.instance_norm nn.functional.interpolate nn.functional.kl_div nn.functional.l1_loss
    nn.functional.layer_norm nn.functional.leaky_relu nn.functional.linear nn.functional.local_response_norm
    nn.functional.logsigmoid nn.functional.margin_ranking_loss nn.functional.max_pool1d nn.functional.max_pool2d
    nn.functional.mish nn.functional.mse_loss nn.functional.multilabel_margin_loss
    nn.functional.multilabel_soft_margin_loss nn.functional.nll_loss nn.functional.normalize nn.functional.one_hot
    nn.functional.pad nn.functional.pairwise_distance nn.functional.pixel_shuffle nn.functional.pixel_unshuffle
    nn.functional.poisson_nll_loss nn.functional.prelu nn.functional.relu nn.functional.relu6 nn.functional.rms_norm
    nn.functional.scaled_dot_product_attention nn.functional.selu nn.functional.silu nn.functional.smooth_l1_loss
    nn.functional.soft_margin_loss nn.functional.softmin nn.functional.softplus nn.functional.softshrink
    nn.functional.softsign nn.functional.tanhshrink nn.functional.threshold nn.functional.triplet_margin_loss
    nn.functional.unfold nonzero norm normal ones ones_like outer permute positive pow prod quantile rad2deg rand_like
    randint randint_like randn randn_like ravel reciprocal remainder repeat repeat_interleave reshape reshape_as roll
    round rsqrt scatter scatter_add searchsorted select select_scatter sigmoid sign sin sinc sinh slice_scatter
    softmax sort split split_with_sizes sqrt square squeeze stack std std_mean sub sum t take take_along_dim tan tanh
    tensor_split tensordot tile topk trace transpose tril tril_indices triu triu_indices true_divide trunc unbind
    unflatten unfold uniform unique unique_consecutive unsqueeze var var_mean view view_as vsplit vstack where xlogy
    zero_ zeros zeros_like linalg.norm linalg.vector_norm linalg.inv linalg.det linalg.solve linalg.cholesky linalg.qr
    linalg.svd linalg.eigh linalg.slogdet
""".split()

# What PyTorch has for other devices, layouts and result buffers.
UNSUPPORTED = {"out", "layout", "pin_memory", "memory_format"}
OLD = {"size_average", "reduce"}  # of losses: whoever gives what comes after them does so by name
# What PyTorch takes is not what its documentation says.
RENAMED = {("searchsorted", "values"): "input", ("true_divide", "dividend"): "input",
           ("true_divide", "divisor"): "other", ("broadcast_to", "shape"): "size",
           ("nn.functional.one_hot", "tensor"): "input"}
ONLY_BY_NAME = {"approximate", "scale", "enable_gqa"}  # which PyTorch's documentation does not say


def find(root, name):
    for part in name.split("."):
        root = getattr(root, part, None)
    return root


def places(library, name):
    """The function, the method and its in-place form, where PyTorch has them."""
    yield from (("function", find(library, name)), ("method", find(library.Tensor, name)),
                ("in place", find(library.Tensor, name + "_")))


@pytest.mark.parametrize("name", NAMES)
def test_is_there(name):
    missing = [place for (place, theirs), (_, ours) in zip(places(torch, name), places(gpunet, name), strict=True)
               if theirs is not None and ours is None]
    assert not missing, f"{name} is missing as {' and '.join(missing)}"


def documented(name):
    """(name, whether it is only a keyword) of the parameters that PyTorch documents for its first form."""
    function = find(torch, name)
    try:
        found = [(p.name, p.kind is p.KEYWORD_ONLY) for p in inspect.signature(function).parameters.values()
                 if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    except (TypeError, ValueError):
        text = re.search(rf"^\s*{re.escape(name.split('.')[-1])}\((.*?)\)\s*->", function.__doc__ or "", re.M | re.S)
        if not text:
            return []
        words = [re.split(r"[=:\s]", part.strip())[0].removeprefix("\\")
                 for part in re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", text.group(1)).split(",")]
        found = [(word, "*" in words[:i]) for i, word in enumerate(words) if word.isidentifier()]
    found = [(RENAMED.get((name, n), n), keyword) for n, keyword in found]
    names = [n for n, _ in found]
    old = "size_average" in names
    return [(n, keyword or n in ONLY_BY_NAME or old and i > names.index("size_average"))
            for i, (n, keyword) in enumerate(found) if n not in UNSUPPORTED and not (old and n in OLD)]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_have_pytorchs_names(name):
    ours = find(gpunet, name)
    theirs = documented(name) if find(torch, name) is not None else []
    if ours is None or hasattr(ours, "op") or not theirs:
        return  # a method only, or what takes tensors by place only
    mine = {p.name: p.kind for p in inspect.signature(ours).parameters.values()}
    positional = [n for n, kind in mine.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
                  and n != "out"]  # which the lists do not have
    if inspect.Parameter.VAR_POSITIONAL in mine.values():
        theirs = [(n, keyword) for n, keyword in theirs if keyword]
    unknown = [n for n, _ in theirs if n not in mine]
    assert not unknown, f"{name} does not take {', '.join(unknown)}"
    order = [n for n, keyword in theirs if not keyword]
    assert positional[: len(order)] == order, f"{name} takes {positional}, PyTorch {order}"
