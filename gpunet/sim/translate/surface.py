"""What of CUDA the simulator has, as far as it shows in a source's text: headers, and what is refused by name."""

import re

from gpunet.sim.translate import host_code

# Headers of the host's libraries, of CUDA's libraries, and CUDA's own that the prelude stands for. Leaving them out
# harms no kernel: host code that needs them is taken out as well, and what a kernel uses of them is refused there.
# NVRTC finds few of them: a source that has one is written for nvcc.
_LEFT_OUT = frozenset("""
    iostream fstream sstream iomanip ostream istream vector string map set unordered_map unordered_set deque list queue
    stack chrono random thread mutex memory iterator stdexcept exception system_error optional variant any filesystem
    regex future condition_variable atomic cassert assert.h cstdarg ctime time.h unistd.h getopt.h omp.h signal.h
    errno.h new cstdio stdio.h cstdlib stdlib.h bitset locale ios math.h cmath float.h cfloat limits.h climits
    cuda_runtime.h cuda_runtime_api.h device_launch_parameters.h device_functions.h device_atomic_functions.h
    vector_types.h vector_functions.h host_defines.h builtin_types.h driver_types.h math_functions.h
    sm_20_intrinsics.h sm_30_intrinsics.h sm_32_intrinsics.h sm_60_atomic_functions.h sm_61_intrinsics.h
    channel_descriptor.h cuda_texture_types.h texture_fetch_functions.h texture_indirect_functions.h texture_types.h
    surface_functions.h surface_indirect_functions.h surface_types.h cuda_surface_types.h cuda_vulkan_interop.h
    cuda_gl_interop.h nvml.h cupti.h nvjpeg.h npp.h cutensor.h
    cuda_profiler_api.h nvToolsExt.h cudnn.h cufft.h cusparse.h cusolverDn.h nvrtc.h nccl.h mpi.h curand.h
    curand_kernel.h
""".split())
# What samples and books have for their programs, wherever it lies.
_HELPERS = frozenset("""
    helper_cuda.h helper_functions.h helper_string.h helper_timer.h helper_image.h helper_gl.h helper_cuda_gl.h
    helper_cusolver.h helper_multiprocess.h exception.h book.h cpu_bitmap.h cpu_anim.h gpu_anim.h windows.h Windows.h
""".split())
_LEFT_OUT_BEGINNINGS = ("GL/", "GLFW/", "opencv2/", "gtest/", "benchmark/", "fmt/", "spdlog/",
                        "torch/", "ATen/", "c10/", "pybind11/", "nvtx3/", "sys/", "crt/", "cub/", "thrust/", "cuda/",
                        "nv/", "cutlass/", "cute/", "curand_", "cuda_awbarrier", "cooperative_groups/details")
# Those that bring cuda_fp16.h and cuda_bf16.h with them.
_WITH_HALVES = frozenset("""
    cublas_v2.h cublas.h cublas_api.h cublasLt.h cublasXt.h mma.h cuda_fp8.h cuda_fp6.h cuda_fp4.h crt/mma.h
    library_types.h
""".split())
# In their place: of the C library's headers what nvcc has without asking and NVRTC has not.
_NVCC, _NVCC_WITH_HALVES = "#include <gpunet_sim/nvcc.h>", "#include <gpunet_sim/nvcc_halves.h>"
_CUDA_STD = "#include <gpunet_sim/cuda_std.h>"

# No semicolon: a reason may come to stand within a declaration.
_BY_PTX = "the PTX engine runs such a kernel (--engine ptx of the commands, GPUNET_SIM=ptx for the device sim)"
_CUDA_ATOMICS = r"atomic|atomic_ref|atomic_thread_fence|memory_order\w*|thread_scope\w*"
_REFUSED = tuple((re.compile(pattern), reason) for pattern, reason in (
    (r"\btex(?:1D|2D|3D|Cubemap)\w*|\btexture\s*<|\bsurf(?:1D|2D|3D|Cubemap)\w*|\bcuda(?:Texture|Surface)Object_t\b",
     "textures and surfaces are not simulated: read the array through a pointer"),
    (r"\b__cluster_dims__\b|\bthis_cluster\b|\bcluster_group\b|\b__cluster_\w+|\b__block_size__\b",
     f"thread block clusters are not simulated in C++: {_BY_PTX}"),
    (r"\b(?:this_multi_grid|multi_grid_group)\b", "multi-device grids are not simulated"),
    (r"<<<", "a launch in device code: dynamic parallelism is not simulated"),
    (r"\bcuda(?!GridDependencySynchronize|TriggerProgrammatic)[A-Z]\w*\s*\(",
     "the CUDA runtime cannot be called in a kernel here"),
    (r"\bwmma::\w+|\b(?:load_matrix_sync|store_matrix_sync|mma_sync|fill_fragment)\b(?=\s*\()",
     f"wmma fragments are not simulated in C++: {_BY_PTX}, or use ldmatrix_* and mma_* of ptx.cuh"),
    (r"\bcurand\w*", "cuRAND's device functions are not simulated: pass random numbers in, or compute Philox"),
    (rf"(?<![:\w])cuda::(?!(?:std::)?(?:{_CUDA_ATOMICS})\b|std::(?:{host_code.STD_ON_DEVICE})\b|std\s*;)\w+",
     f"of the CUDA C++ library (cuda::) atomic, atomic_ref and what std has are simulated in C++: {_BY_PTX}, or use "
     "the built-in functions and ptx.cuh"),
    (r"\bcub::\w+", f"this library is not simulated in C++: {_BY_PTX}"),
    (r"\b(?:thrust|cutlass|cute)::\w+", "this library is not simulated"),
    (r"\b(?:torch|at|c10)::\w+", "PyTorch's library is not simulated: pass pointers, sizes and strides"),
    (r"\b__nv_fp[468]\w*", f"floating point of 8 bits and fewer is not simulated in C++: {_BY_PTX}"),
    (r"\b__(?:shfl|shfl_up|shfl_down|shfl_xor|ballot|any|all)\s*\(",
     "CUDA has removed the warp functions without a mask: use the one whose name ends in _sync"),
))  # fmt: skip


_OTHER_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?:include|error|pragma)\b[^\n]*", re.M)  # but for #define

_OWN_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)


def header(name: str) -> str | None:
    """What replaces an `#include <name>`, or None where the compiler is to find it."""
    if name in ("cuda/atomic", "cuda/std/atomic"):
        return None
    if name in _WITH_HALVES:
        return _NVCC_WITH_HALVES
    if name.startswith("cuda/std/"):
        return _CUDA_STD
    return _NVCC if is_left_out(name) else None


def is_left_out(name: str) -> bool:
    """Whether a header is the host's or a library's, or is one that every kernel has without asking."""
    return (name in _LEFT_OUT or name in _WITH_HALVES or name.rpartition("/")[2] in _HELPERS
            or name.startswith(_LEFT_OUT_BEGINNINGS))


def error(message: str) -> str:
    """What makes the compiler stop here with a message, unless the preprocessor leaves this part out."""
    return f' _Pragma("GCC error \\"{message}\\"") '


def is_refusal(message: str) -> bool:
    """Whether a compiler's line is the error of something that is not simulated. What else it says then follows."""
    return any(reason in message for _, reason in _REFUSED) and ": error: " in message


def is_for_ptx(message: str) -> bool:
    """Whether a compiler's message is the error of something that the PTX engine has."""
    return _BY_PTX in message


def refuse(code: str, flat: str) -> str:
    """`code` with an error before each thing that is not simulated. `flat` is the code with its literals blank."""
    own = set(_OWN_MACRO.findall(flat))  # such as a `cudaCheck` around calls: what it stands for is looked at
    flat = _OTHER_DIRECTIVE.sub(lambda match: " " * len(match.group()), flat)
    places = [(match.start(), match.group().rstrip("( ").strip(), reason)
              for pattern, reason in _REFUSED for match in pattern.finditer(flat)]
    for position, name, reason in sorted(places, reverse=True):
        if name not in own:
            code = code[:position] + error(f"{name}: {reason}") + code[position:]
    return code
