"""Names of PyTorch that are not here: why, and what to use instead. The sentence of the error says it."""

from __future__ import annotations

_COMPLEX = "there are no complex tensors; compute with NumPy on tensor.numpy(), or with real and imaginary parts"
_SPARSE = "there are no sparse tensors; use dense ones, or index_add and scatter_add"
_QUANTISED = "there are no quantised tensors; use float16 or bfloat16, with gpunet.autocast"
_PROCESSES = "training runs in one process on one device"
_CODE = "gpunet does not compile Python code; gpunet.compile records a training step and replays it"
_VISION = "gpunet.models.list_models() lists the models that are here; for another put its class into your program: " \
          "its weights load, see docs/saving.md"

# A name, or a path with all that is below it.
ABSENT: dict[str, str] = {
    **dict.fromkeys(("fft", "stft", "istft", "complex", "complex32", "complex64", "complex128", "cfloat", "cdouble",
                     "chalf", "polar", "view_as_complex", "view_as_real", "signal"), _COMPLEX),
    **dict.fromkeys(("sparse", "sparse_coo_tensor", "sparse_csr_tensor", "sparse_csc_tensor", "sparse_bsr_tensor",
                     "sparse_compressed_tensor", "sparse_coo", "sparse_csr", "spmm", "optim.SparseAdam"), _SPARSE),
    **dict.fromkeys(("ao", "quantization", "quantize_per_tensor", "quantize_per_channel", "quint8", "qint8", "qint32",
                     "nn.quantized", "nn.qat", "nn.quantizable", "nn.intrinsic", "per_tensor_affine"), _QUANTISED),
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
                    "the narrowest floating-point types are float16 and bfloat16"),
    "_functorch": "it is the inside of PyTorch; gpunet.func has its functions",
    "func.functionalize": "gpunet.compile records a training step, in-place operations included",
    **dict.fromkeys(("export", "_export", "cond", "while_loop", "library", "classes"), _CODE),
    **dict.fromkeys(("nested", "masked"), "tensors are rectangular and whole; pad them and pass a mask, or use "
                    "gpunet.nn.utils.rnn.pack_padded_sequence"),
    **dict.fromkeys(("distributed.fsdp", "distributed.rpc", "distributed.pipelining", "distributed.tensor",
                     "distributed.optim", "distributed.elastic", "distributed.launch", "distributed.run",
                     "distributed.checkpoint", "distributed.algorithms", "distributed.nn"), _PROCESSES),
    **{f"models.{name}": _VISION for name in (
        "detection", "inception_v3", "maxvit_t", "mnasnet1_0", "optical_flow", "quantization", "regnet_y_400mf",
        "segmentation", "shufflenet_v2_x1_0", "swin_t", "swin_b", "swin_v2_t", "video", "Inception_V3_Weights",
        "Swin_T_Weights")},
    "utils.benchmark": "use Python's timeit, or gpunet.benchmark",
    "utils._pytree": "it is the inside of PyTorch",
    "utils.collect_env": "`gpunet devices` shows what the machine has",
    "nn.utils.skip_init": 'make the layer with device="meta", then call its to_empty(device=...)',
    "overrides": "subclasses of Tensor are plain classes: operations on them give Tensors",
    "package": "save the weights by gpunet.save, and the code as a Python package",
    "_C": "it is the inside of PyTorch; gpunet's is gpunet.dispatch and gpunet.engine",
    "utils.cpp_extension": "write a CUDA kernel with gpunet.kernel and gpunet.dispatch (docs/kernels.md)",
    "utils.bottleneck": "use Python's cProfile, and Nsight Systems (nsys) on a GPU",
    "utils.flop_counter": "gpunet does not count operations",
    "utils.mobile_optimizer": "there is no mobile runtime",
    "cuda.CUDAGraph": "gpunet.compile records a step as a CUDA graph",
    "cuda.graph": "gpunet.compile records a step as a CUDA graph",
    "cuda.graphs": "gpunet.compile records a step as a CUDA graph",
    "cuda.make_graphed_callables": "gpunet.compile records a step as a CUDA graph",
    "cuda.nccl": _PROCESSES, "cuda.comm": _PROCESSES,
    "cuda.utilization": "nvidia-smi shows it", "cuda.temperature": "nvidia-smi shows it",
    "cuda.power_draw": "nvidia-smi shows it", "cuda.clock_rate": "nvidia-smi shows it",
    "mtia": "the devices are cpu, cuda and sim", "xla": "the devices are cpu, cuda and sim",
    "vulkan": "the devices are cpu, cuda and sim",
    "Storage": "a tensor's memory is an array: tensor.untyped_storage() describes it, tensor.numpy() gives it",
}


def reason(name: str) -> str | None:
    """What to say of a name below `gpunet` that does not exist, or of one below such a name; None: nothing is known."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = ".".join(parts[:end])
        if path in ABSENT:
            return f"gpunet.{path} does not exist: {ABSENT[path]}"
    return None
