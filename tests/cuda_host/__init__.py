"""gpunet's device `cuda` through CuPy's own host code, on a machine without a GPU.

driver.cpp stands in for NVIDIA's driver: memory is the host's, kernels and library calls are checked and counted, not
run. All else is what runs on a GPU: CuPy's argument conventions and types, NVRTC, our launches, stream capture, device
switching. What it cannot show are results.

    python -m tests.cuda_host -m pytest tests/cuda_host/inside      the tests
    python -m tests.cuda_host script.py                             any Python program
    FAKE_CUDA_GPUS=2 FAKE_CUDA_LOG=calls.txt python -m tests.cuda_host ...    with two GPUs, each driver call noted
"""
