"""gpunet: a small deep-learning framework with its own CUDA kernels, which also run on a CPU."""

from math import e, inf, nan, pi

from gpunet import amp, autograd, devices, distributions, linalg, nn, optim, special, utils
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
from gpunet.layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from gpunet.ops.activation import *
from gpunet.ops.activation import celu, celu_, rrelu, rrelu_, selu, selu_, threshold, threshold_
from gpunet.ops.adaptive_pool import *
from gpunet.ops.bits import *
from gpunet.ops.broadcasting import *
from gpunet.ops.combining import *
from gpunet.ops.compare import *
from gpunet.ops.conv import *
from gpunet.ops.creation import *
from gpunet.ops.diagonal import *
from gpunet.ops.distance import *
from gpunet.ops.distance import cosine_similarity, pairwise_distance
from gpunet.ops.dropout import alpha_dropout, feature_alpha_dropout
from gpunet.ops.einsum import *
from gpunet.ops.exponentials import *
from gpunet.ops.index import *
from gpunet.ops.inplace import *
from gpunet.ops.join import *
from gpunet.ops.limits import *
from gpunet.ops.linalg import *
from gpunet.ops.matmul import *
from gpunet.ops.normalization import *
from gpunet.ops.norms import *
from gpunet.ops.operators import *
from gpunet.ops.pad import *
from gpunet.ops.pieces import *
from gpunet.ops.pool import *
from gpunet.ops.products import *
from gpunet.ops.random import *
from gpunet.ops.ranges import *
from gpunet.ops.reduce import *
from gpunet.ops.reorder import *
from gpunet.ops.resize import *
from gpunet.ops.rounding import *
from gpunet.ops.scan import *
from gpunet.ops.scatter import *
from gpunet.ops.searching import *
from gpunet.ops.shape import *
from gpunet.ops.softmax import *
from gpunet.ops.sorting import *
from gpunet.ops.special import *
from gpunet.ops.trigonometry import *
from gpunet.random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from gpunet.record import compile
from gpunet.serialization import load_file, save_file
from gpunet.size import Size
from gpunet.tensor import Tensor

__version__ = "0.1.0"

# After Tensor, whose module has the function's name.
from gpunet.ops.creation import tensor
