"""Small questions and settings, asked in gpunet and in PyTorch: the same answers, or the same kind of error."""

import importlib
import re

import numpy as np
import pytest

import gpunet

# Expressions of L, the library; np is NumPy. The answers are compared as text.
QUESTIONS = """
[L.finfo(t) for t in (L.float16, L.bfloat16, L.float32, L.float64)]
[getattr(L.finfo(L.bfloat16), n) for n in ('bits', 'dtype', 'eps', 'max', 'min', 'resolution', 'tiny')]
[(i.min, i.max, i.bits) for i in map(L.iinfo, (L.uint8, L.int8, L.int16, L.int32, L.int64, L.uint64))]
(L.iinfo(L.int32).bits, L.iinfo(L.int8).dtype, L.finfo().dtype, L.finfo(L.float32) == L.finfo(L.float32))
L.finfo(L.int32)
L.iinfo(L.float32)
L.iinfo(L.bool)
[L.ones(2, dtype=t).type() for t in (L.float32, L.float64, L.float16, L.bfloat16, L.int64, L.int32)]
[L.ones(2, dtype=t).type() for t in (L.int16, L.int8, L.uint8, L.bool, L.uint16)]
L.ones(2).type('torch.LongTensor')
L.ones(2).type(L.DoubleTensor)
L.ones(2).type(L.int32)
L.ones(2).type('torch.NoTensor')
L.ones(2).type('LongTensor')
L.FloatTensor([1, 2]), L.LongTensor([[1, 2]]), L.ByteTensor([1, 0]), L.BoolTensor([True]), L.HalfTensor([1.5])
L.LongTensor([1.75]), L.FloatTensor(np.arange(3)), L.DoubleTensor(())
L.FloatTensor(2, 3).shape, L.LongTensor(4).dtype, L.FloatTensor().shape, L.FloatTensor(L.Size([2, 3])).shape
L.FloatTensor(L.ones(2)), L.LongTensor(L.tensor([3]))
L.FloatTensor(L.ones(2, dtype=L.float64))
L.FloatTensor(1.5)
[isinstance(L.ones(1), t) for t in (L.FloatTensor, L.DoubleTensor, L.Tensor)], isinstance(L.ones(1), L.cuda.FloatTensor)
L.Tensor(2, 3).shape, L.Tensor(5).shape, L.Tensor().shape, L.Tensor(L.Size([2])).shape
L.Tensor([[1, 2]]), L.Tensor((2, 3))
L.Tensor(np.ones((1, 2))), L.Tensor([1, 2]).dtype
L.ones(2).new(3).shape, L.ones(2, dtype=L.int64).new([1, 2]), L.ones(2).new().shape, L.ones(2).new(2, 3).dtype
(lambda x: (x, x.requires_grad, isinstance(x, L.autograd.Variable)))(L.autograd.Variable(L.ones(2), requires_grad=True))
L.autograd.Variable([1.0])
[getattr(L.ones(1), f'is_{n}') for n in 'cuda cpu sparse quantized meta mps xpu mkldnn nested leaf'.split()]
L.ones(1).layout, L.ones(2).is_complex(), L.ones(2).is_conj(), L.ones(2).is_neg(), L.is_complex(L.ones(1))
L.ones(1).get_device(), L.ones(3).element_size(), L.ones(2, 3).nelement(), L.ones(2).real, L.ones(2).resolve_conj()
L.ones(4)[2:].storage_offset(), L.ones(2, 3).t()[1:].storage_offset(), L.ones(3).storage_offset()
len(L.ones(3).untyped_storage()), L.ones(3).untyped_storage().nbytes(), L.ones(4)[2:].untyped_storage().size()
L.ones(3).untyped_storage().data_ptr() > 0, L.is_storage(L.ones(1).untyped_storage()), L.is_storage(L.ones(1))
(lambda x: x.untyped_storage().data_ptr() == x[1:].view(1, 2).untyped_storage().data_ptr())(L.ones(3))
L.ones(2).is_shared(), L.ones(2).share_memory_().is_shared(), L.ones(2).share_memory_()
L.arange(6.).resize_(2, 2), L.arange(6.).resize_(4).shape, L.arange(2.).resize_(3, 3).shape
L.arange(2.).resize_as_(L.ones(3)).shape
L.ones(2, requires_grad=True).resize_(1)
L.arange(4.).apply_(lambda v: v * 2 + 1), L.ones(2).map_(L.tensor([3., 4.]), lambda a, b: a + b)
L.ones(1, requires_grad=True).apply_(lambda v: v)
L.ones(2, 1).is_same_size(L.zeros(2, 1)), (lambda x: (x.is_set_to(x), x.is_set_to(x[:1])))(L.ones(2))
L.cuda.is_available(), L.cuda.device_count(), L.cuda.is_initialized(), L.cuda.get_arch_list(), L.cuda.memory_allocated()
L.cuda.max_memory_allocated(), L.cuda.memory_reserved(), L.cuda.max_memory_reserved(), len(L.cuda.memory_stats())
L.cuda.manual_seed(1), L.cuda.manual_seed_all(1), L.cuda.empty_cache(), L.cuda.get_rng_state_all()
L.cuda.is_bf16_supported(including_emulation=False)
L.accelerator.is_available(), L.accelerator.current_accelerator(), L.accelerator.device_count()
L.backends.mps.is_available(), L.backends.mps.is_built(), L.xpu.is_available(), L.mps.device_count()
L.backends.cudnn.benchmark, L.backends.cudnn.deterministic, L.backends.cudnn.enabled, L.backends.cudnn.is_available()
L.backends.cudnn.version(), L.backends.cudnn.is_acceptable(L.ones(1))
L.backends.cuda.matmul.allow_tf32, L.backends.cuda.flash_sdp_enabled(), L.backends.cuda.math_sdp_enabled()
L.get_float32_matmul_precision(), L.are_deterministic_algorithms_enabled(), L.get_deterministic_debug_mode()
L.is_warn_always_enabled(), L.is_deterministic_algorithms_warn_only_enabled()
L.jit.is_scripting(), L.jit.is_tracing(), L.compiler.is_compiling(), L.onnx.is_in_onnx_export()
L.jit.ignore(lambda x: x)(2), L.jit.unused(lambda x: x)(2)
L.compiler.disable(lambda x: x + 1)(1), L.compiler.disable()(lambda x: x)(3)
L.distributed.is_initialized()
L.distributed.get_rank()
L.distributed.get_world_size()
L.result_type(L.ones(2), 1), L.result_type(L.ones(2, dtype=L.int32), 1.5), L.result_type(L.tensor(1.), L.ones(2).half())
[L.can_cast(a, b) for a in (L.float32, L.int8, L.bool) for b in (L.float16, L.int64, L.bool)]
L.is_nonzero(L.ones(1)), L.typename(L.ones(1)), L.typename(3)
L.is_nonzero(L.ones(2))
L.version.hip, L.version.debug, L.version.cuda
L.nn.attention.SDPBackend.FLASH_ATTENTION, [k.name for k in L.nn.attention.SDPBackend.__members__.values()]
L.get_autocast_gpu_dtype(), L.get_autocast_cpu_dtype(), L.is_autocast_cpu_enabled(), L.get_autocast_dtype('cpu')
hasattr(L.cuda.amp.autocast(enabled=False), '__enter__'), L.cuda.amp.GradScaler(enabled=False).get_scale()
[n.__name__ for n in (L.nn.modules.utils._pair, L.nn.modules.utils._triple)]
L.nn.modules.utils._ntuple(4)([1, 2, 3, 4])
L.nn.modules.utils._reverse_repeat_tuple((1, 2), 2), L.nn.modules.utils._pair(3)
L.nn.init._calculate_fan_in_and_fan_out(L.ones(3, 4, 5))
L.nn.Linear(2, 1).to(memory_format=L.channels_last), L.nn.Linear(2, 1).compile()
L.utils.data.distributed.DistributedSampler(range(5), 1, 0).__len__(), L.utils.data.dataloader.DataLoader.__name__
L.nn.SyncBatchNorm(3), list(L.nn.parallel.DistributedDataParallel.__mro__[1].__name__)
L.device('cuda'), L.device('cuda', 1), L.device('cuda:0') == L.device('cuda')
L.optim.lr_scheduler._LRScheduler.__name__[-11:]
L.nn.Linear(2, 1).double().type('torch.FloatTensor').weight.dtype
L.nn.Linear(1, 1).share_memory().weight.is_shared()
L.multiprocessing.get_context('spawn').Queue.__name__
""".strip().splitlines()


def ask(library, question):
    """The answer as text, or the kind of error."""
    try:
        answer = eval(question, {"L": library, "np": np})
    except Exception as error:
        return type(error).__name__
    return re.sub(r"\b(torch|gpunet)\.", "", repr(answer))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.needs("torch")
def test_the_answer_is_pytorchs(question):
    import torch

    if torch.cuda.is_available() and ".cuda." in question:
        pytest.skip("the answers are those of a machine without a GPU")
    for name in ("nn.modules.utils", "nn.attention", "multiprocessing", "nn.parallel"):
        importlib.import_module(f"torch.{name}")
    assert ask(gpunet, question) == ask(torch, question)


TENSORS = ["L.tensor([1.5, 2e-3, 1000.25])", "L.arange(20.)", "L.arange(3000)", "L.tensor([[1e-9, 5.], [2., 3.]])",
           "L.tensor([1., float('inf'), float('nan')])", "L.rand(0, 3)"]


@pytest.mark.parametrize("options", [
    {}, {"precision": 2}, {"sci_mode": True}, {"sci_mode": False}, {"linewidth": 40}, {"threshold": 10},
    {"threshold": 10, "edgeitems": 1}, {"profile": "short"}, {"profile": "full", "precision": 1}])
@pytest.mark.needs("torch")
def test_tensors_print_as_pytorchs(options):
    import torch

    texts = []
    for library in (gpunet, torch):
        library.set_printoptions(**options)
        try:
            texts.append([repr(eval(tensor, {"L": library})) for tensor in TENSORS])
        finally:
            library.set_printoptions(profile="default")
    assert texts[0] == texts[1]


def test_settings_of_tf32_are_one():
    cudnn, matmul = gpunet.backends.cudnn, gpunet.backends.cuda.matmul
    assert not cudnn.allow_tf32 and matmul.fp32_precision == "ieee"
    with cudnn.flags(allow_tf32=True, benchmark=True):
        assert gpunet.get_float32_matmul_precision() == "high" and matmul.allow_tf32 and cudnn.benchmark
    assert gpunet.get_float32_matmul_precision() == "highest" and not matmul.allow_tf32 and not cudnn.benchmark
    matmul.fp32_precision = "tf32"
    assert cudnn.allow_tf32
    gpunet.set_float32_matmul_precision("highest")


def test_kinds_of_attention_are_one_setting():
    from gpunet.nn.attention import SDPBackend, sdpa_kernel

    cuda, query = gpunet.backends.cuda, gpunet.rand(1, 3, 4)
    expected = gpunet.nn.functional.scaled_dot_product_attention(query, query, query)
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.CUDNN_ATTENTION]):
        assert cuda.math_sdp_enabled() and not cuda.flash_sdp_enabled()
        with cuda.sdp_kernel(enable_math=False):
            assert cuda.flash_sdp_enabled() and not cuda.math_sdp_enabled()
            found = gpunet.nn.functional.scaled_dot_product_attention(query, query, query)
        assert cuda.math_sdp_enabled()
    assert cuda.flash_sdp_enabled() and bool((found == expected).all())


def test_the_default_type_and_device_in_one():
    try:
        gpunet.set_default_tensor_type("torch.DoubleTensor")
        assert gpunet.ones(1).dtype is gpunet.float64
    finally:
        gpunet.set_default_tensor_type(gpunet.FloatTensor)
    assert gpunet.ones(1).dtype is gpunet.float32
    for wrong in ("torch.LongTensor", "FloatTensor", gpunet.IntTensor, 3):
        with pytest.raises(TypeError, match="set_default_tensor_type"):
            gpunet.set_default_tensor_type(wrong)


def test_a_version_compares_by_numbers():
    version = importlib.import_module("gpunet.version").__version__
    assert version > "2.9" and version >= (2, 13) and version < "2.100" and not version < "2.13.0" and version != "3"
    assert version.split("+")[1] == f"gpunet.{gpunet.__version__}" and version == "2.13"
