"""gpunet.cuda through CuPy's own host code: what it says of GPUs, memory, streams and events."""

import gc

import pytest

import gpunet
from gpunet import cuda, nn


def test_what_is_said_of_a_gpu():
    properties = cuda.get_device_properties(0)
    assert cuda.is_available() and cuda.device_count() >= 1 and cuda.current_device() == 0
    assert cuda.get_device_name("cuda:0") == properties.name and properties.multi_processor_count > 0
    assert cuda.get_device_capability() == (properties.major, properties.minor)
    assert cuda.get_arch_list() == [f"sm_{properties.major}{properties.minor}"]
    assert cuda.is_bf16_supported(including_emulation=False) is (properties.major >= 8)
    assert cuda.is_initialized() and repr(gpunet.accelerator.current_accelerator()) == "device(type='cuda')"
    assert isinstance(gpunet.zeros(2, device="cuda"), cuda.FloatTensor)
    assert cuda.LongTensor(2, 3).type() == "gpunet.cuda.LongTensor"
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        cuda.get_device_name("cpu")
    with pytest.raises(RuntimeError, match="cuda:9.*does not exist"):
        cuda.get_device_name(9)


def test_memory():
    gc.collect()
    cuda.empty_cache()
    before = cuda.memory_allocated()
    kept = gpunet.zeros(1000, device="cuda")
    assert cuda.memory_allocated() == before + 4096
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == cuda.memory_allocated()
    lost = gpunet.zeros(100_000, device="cuda")
    del lost
    assert cuda.memory_allocated() == before + 4096
    assert cuda.max_memory_allocated() == before + 4096 + 400_384  # blocks of 512 bytes
    assert cuda.memory_reserved() >= before + 4096 + 400_384
    cuda.empty_cache()
    assert cuda.memory_reserved() < before + 4096 + 400_384 and "MiB" in cuda.memory_summary()
    assert cuda.memory_stats()["allocated_bytes.all.peak"] == before + 4096 + 400_384
    assert issubclass(__import__("cupy").cuda.memory.OutOfMemoryError, cuda.OutOfMemoryError) and kept.is_cuda


def test_streams_and_events():
    side = cuda.Stream()
    with cuda.stream(side):
        assert cuda.current_stream() == side != cuda.default_stream()
        x = gpunet.ones(4, device="cuda") * 2
        event = side.record_event()
    assert cuda.current_stream() == cuda.default_stream() and not cuda.is_current_stream_capturing()
    cuda.current_stream().wait_stream(side)
    cuda.current_stream().wait_event(event)
    side.synchronize()
    assert side.query() and event.query() and x.shape == (4,)
    start, end = (cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    end.record(side)
    end.synchronize()
    assert start.elapsed_time(end) >= 0
    with pytest.raises(RuntimeError, match="elapsed_time"):
        event.elapsed_time(end)
    with cuda.nvtx.range("step"):
        cuda.synchronize()


def test_a_profile_marks_operations_in_the_queue():
    from gpunet.profiler import emit_nvtx, profile

    with profile() as prof:
        (gpunet.ones(4, device="cuda") * 2).exp()
    times = {row.key: row.device_time_total for row in prof.key_averages()}
    assert times["mul"] == times["exp"] == 1000  # as the stand-in says of any two marks
    assert "Self CUDA" in prof.table() and prof.by_op()[-1].forward == 1000
    with emit_nvtx():
        gpunet.ones(4, device="cuda").exp()


def test_tf32_reaches_cupy():
    import cupy

    def setting():
        return cupy._core.get_compute_type(gpunet.float32.numpy)

    gpunet.set_float32_matmul_precision("high")
    try:
        assert setting() == cupy._core._routines_linalg.COMPUTE_TYPE_TF32
    finally:
        gpunet.set_float32_matmul_precision("highest")
    assert setting() == cupy._core._routines_linalg.COMPUTE_TYPE_DEFAULT


def test_the_current_gpu():
    if cuda.device_count() < 2:
        pytest.skip("one GPU")
    with cuda.device(1):
        assert cuda.current_device() == 1
        made = [gpunet.zeros(1, device="cuda"), gpunet.zeros(1).cuda(), nn.Linear(1, 1).cuda().weight]
        assert {x.get_device() for x in made} == {1}
        assert cuda.Stream().device.index == 1 and cuda.LongTensor([1]).get_device() == 1
        with cuda.device_of(gpunet.zeros(1, device="cuda:0")):
            assert gpunet.zeros(1, device="cuda").get_device() == 0
    assert gpunet.zeros(1, device="cuda").get_device() == 0
    cuda.set_device("cuda:1")
    try:
        assert gpunet.accelerator.current_device_index() == 1
    finally:
        cuda.set_device(0)
