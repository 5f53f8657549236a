"""PyTorch's paths and where their names are here: modules, the first that has a name gives it.

All names are below `gpunet`. `module:name` is a single name, which the path has under the name before `=`.
"""

from __future__ import annotations

# Public packages that `import gpunet` leaves until they are asked for.
ON_DEMAND = frozenset({
    "accelerator", "backends", "compress", "cuda", "data", "distributions", "func", "interpret", "keras", "models",
    "privacy", "profiler", "serialization", "train", "utils.data", "utils.tensorboard",
})

# Single names, likewise.
NAMES = {
    "GradScaler": "amp:GradScaler", "OutOfMemoryError": "cuda.memory:OutOfMemoryError",
    **{name: f"serialization:{name}" for name in ("load", "load_file", "save", "save_file")},
    "get_autocast_dtype": "amp:get_autocast_dtype", "is_autocast_cache_enabled": "amp:is_autocast_cache_enabled",
    "from_dlpack": "ops.exchange:from_dlpack",
    **{name: f"compat.questions:{name}" for name in ("can_cast", "is_nonzero", "result_type", "typename")},
    "vmap": "func:vmap",
    "optim.Adafactor": "optim.adafactor:Adafactor", "optim.Muon": "optim.muon:Muon",
    **{name: f"amp.older:{name}" for name in (
        "clear_autocast_cache", "get_autocast_cpu_dtype", "get_autocast_gpu_dtype", "is_autocast_cpu_enabled")},
}

_LAYERS = {
    "activation": "", "adaptive": "", "batchnorm": "_BatchNorm=nn.normalization:_BatchNorm "
    "_NormBase=nn.normalization:_Tracking", "channelshuffle": "", "container": "", "conv":
    "_ConvNd=nn.conv:_Convolution _ConvTransposeNd=nn.conv:_ConvTranspose", "distance": "",
    "dropout": "_DropoutNd=nn.dropout:_Dropout", "flatten": "", "fold": "",
    "instancenorm": "_InstanceNorm=nn.normalization:_InstanceNorm", "lazy": "", "linear": "",
    "loss": "_Loss=nn.loss.base:Loss _WeightedLoss=nn.loss.base:WeightedLoss", "module": "",
    "normalization": "", "padding": "", "pixelshuffle": "", "pooling": "_MaxPoolNd=nn.pooling.windows:_MaxPool",
    "rnn": "RNNBase=nn.rnn:RNNBase RNNCellBase=nn.rnn:RNNCellBase", "sparse": "", "transformer": "", "upsampling": "",
}
_OPTIMIZERS = ("adadelta", "adagrad", "adamax", "adamw", "asgd", "nadam", "radam", "rmsprop", "rprop")
_DISTRIBUTIONS = (
    "bernoulli", "beta", "binomial", "categorical", "cauchy", "chi2", "continuous_bernoulli", "dirichlet", "exp_family",
    "exponential", "fishersnedecor", "geometric", "gumbel", "half_cauchy", "half_normal", "inverse_gamma",
    "kumaraswamy", "laplace", "lkj_cholesky", "log_normal", "logistic_normal", "lowrank_multivariate_normal",
    "mixture_same_family", "multinomial", "negative_binomial", "normal", "one_hot_categorical", "pareto", "poisson",
    "relaxed_bernoulli", "relaxed_categorical", "studentT", "uniform",
    "von_mises", "weibull", "wishart",
)

PATHS: dict[str, str] = {
    # The environment of a training script
    **{name: f"compat.{name}" for name in (
        "compiler", "cpu", "distributed", "fx", "hub", "jit", "mps", "multiprocessing", "onnx", "version", "xpu",
        "_dynamo")},
    "_dynamo.config": "compat.compiler_settings", "_inductor": "compat._dynamo",
    "_inductor.config": "compat.compiler_settings",
    "amp.autocast_mode": "amp amp.autocasting", "autograd.grad_mode": "autograd",
    "autograd.profiler": "profiler",
    "cpu.amp": "compat.cpu", "cuda.amp.autocast_mode": "cuda.amp",
    "cuda.amp.grad_scaler": "cuda.amp",
    "cuda.random": "cuda",
    "distributed.distributed_c10d": "compat.distributed", "functional": "", "jit.annotations": "compat.jit",
    "onnx.utils": "compat.onnx", "onnx.symbolic_helper": "compat.onnx",
    "_tensor": "tensor", "torch_version": "compat.version", "types": "compat.types",
    # Layers
    "nn.modules": "nn",
    **{f"nn.modules.{name}": f"{names} nn" for name, names in _LAYERS.items()},
    "nn.modules.utils": "compat.sizes",
    "nn.utils.clip_grad": "nn.utils", "nn.utils.convert_parameters": "nn.utils",
    # Optimizers, distributions
    **{f"optim.{name}": "optim" for name in _OPTIMIZERS},
    "optim._functional": "optim",
    **{f"distributions.{name}": "distributions" for name in _DISTRIBUTIONS},
    "distributions.utils": "distributions",
    # Data and the rest of utils
    **{f"utils.data.{name}": f"data.{where} data" for name, where in (
        ("dataloader", "dataloader"), ("dataset", "dataset"), ("sampler", "sampler"), ("distributed", "sampler"))},
    "utils.data._utils": "data", "utils.data._utils.collate": "data.collate data", "utils.data._utils.worker": "data",
    "return_types": "compat.return_types", "utils.dlpack": "ops.exchange", "nn.utils.stateless": "func",
    "utils.hooks": "engine.hooks", "utils.model_zoo": "load_url=compat.hub:load_state_dict_from_url",
    "utils.tensorboard.writer": "utils.tensorboard",
}
