"""`torch.nn.functional`'s functions, by its names: what layers compute, without their parameters."""

from __future__ import annotations

from gpunet.ops.adaptive_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from gpunet.ops.attention import scaled_dot_product_attention
from gpunet.ops.bilinear import bilinear
from gpunet.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from gpunet.ops.conv_volumes import conv3d, conv_transpose3d
from gpunet.ops.cross_entropy import cross_entropy, nll_loss
from gpunet.ops.ctc import ctc_loss
from gpunet.ops.distance import cosine_similarity, normalize, pairwise_distance
from gpunet.ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from gpunet.ops.embedding import embedding, one_hot
from gpunet.ops.embedding_bag import embedding_bag
from gpunet.ops.fold import fold, unfold
from gpunet.ops.fractional_pool import fractional_max_pool2d, fractional_max_pool3d
from gpunet.ops.grid import affine_grid, grid_sample
from gpunet.ops.likelihood_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
)
from gpunet.ops.linear import linear
from gpunet.ops.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from gpunet.ops.nn_softmax import gumbel_softmax, log_softmax, softmax, softmin
from gpunet.ops.normalization import batch_norm
from gpunet.ops.pad import pad
from gpunet.ops.pool import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from gpunet.ops.rectifiers import (
    celu,
    celu_,
    elu,
    elu_,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    threshold,
    threshold_,
)
from gpunet.ops.regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gpunet.ops.resize import channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle, upsample
from gpunet.ops.sample_norms import group_norm, instance_norm, layer_norm, local_response_norm, rms_norm
from gpunet.ops.sigmoids import (
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    logsigmoid,
    mish,
    sigmoid,
    silu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
)
from gpunet.ops.trigonometry import tanh
from gpunet.ops.unpool import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
           "adaptive_max_pool2d", "adaptive_max_pool3d", "affine_grid", "alpha_dropout", "avg_pool1d", "avg_pool2d",
           "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu",
           "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
           "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss", "dropout",
           "dropout1d", "dropout2d", "dropout3d", "elu", "elu_", "embedding", "embedding_bag", "feature_alpha_dropout",
           "fold", "fractional_max_pool2d", "fractional_max_pool3d", "gaussian_nll_loss", "gelu", "glu", "grid_sample",
           "group_norm", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
           "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm",
           "leaky_relu", "leaky_relu_", "linear", "local_response_norm", "log_softmax", "logsigmoid", "lp_pool1d",
           "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d",
           "max_unpool2d", "max_unpool3d", "mish", "mse_loss", "multi_margin_loss", "multilabel_margin_loss",
           "multilabel_soft_margin_loss", "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance",
           "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "prelu", "relu", "relu6", "relu_", "rms_norm",
           "rrelu", "rrelu_", "scaled_dot_product_attention", "selu", "selu_", "sigmoid", "silu", "smooth_l1_loss",
           "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink",
           "threshold", "threshold_", "triplet_margin_loss", "triplet_margin_with_distance_loss", "unfold", "upsample"]
