"""The occupancy formula against NVIDIA's own, which comes as a C header with the CUDA runtime's wheel."""

import itertools
import shutil
import subprocess

import pytest

from gpunet.kernel import nvrtc
from gpunet.kernel.occupancy import LIMITS, capability_of, occupancy

CASES = list(itertools.product(LIMITS, (1, 32, 96, 128, 160, 256, 512, 768, 1024), (16, 32, 40, 64, 65, 128, 168, 255),
                               (0, 1, 5000, 33000, 70000, 98304, 101376, 167936, 232448)))

PROGRAM = """
#include <cstdio>
#include "cuda_occupancy.h"
int main() {
    int capability, warps, per_sm, reserved, threads, registers, shared;
    while (scanf("%d %d %d %d %d %d %d", &capability, &warps, &per_sm, &reserved, &threads, &registers, &shared) == 7) {
        cudaOccDeviceProp device;
        device.computeMajor = capability / 10, device.computeMinor = capability % 10;
        device.maxThreadsPerBlock = 1024, device.maxThreadsPerMultiprocessor = warps * 32, device.warpSize = 32;
        device.regsPerBlock = device.regsPerMultiprocessor = 65536, device.numSms = 1;
        device.sharedMemPerBlock = 48 << 10, device.sharedMemPerMultiprocessor = per_sm;
        device.sharedMemPerBlockOptin = per_sm - reserved, device.reservedSharedMemPerBlock = reserved;
        cudaOccFuncAttributes kernel;
        kernel.maxThreadsPerBlock = 1024, kernel.numRegs = registers, kernel.sharedSizeBytes = 0;
        kernel.partitionedGCConfig = PARTITIONED_GC_OFF, kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
        kernel.maxDynamicSharedSizeBytes = shared, kernel.numBlockBarriers = 1;
        cudaOccDeviceState state;
        state.cacheConfig = CACHE_PREFER_SHARED, state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
        cudaOccResult result;
        int status = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads, shared);
        printf("%d\\n", status ? -status : result.activeBlocksPerMultiprocessor);
    }
}
"""


@pytest.fixture(scope="module")
def nvidias(tmp_path_factory):
    try:
        _, _, headers = nvrtc._library()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
    if headers is None or not (headers / "cuda_occupancy.h").is_file() or shutil.which("g++") is None:
        pytest.skip("needs g++ and NVIDIA's cuda_occupancy.h (pip install nvidia-cuda-runtime)")
    folder = tmp_path_factory.mktemp("occupancy")
    (folder / "main.cpp").write_text(PROGRAM)
    subprocess.run(["g++", "-w", f"-I{headers}", folder / "main.cpp", "-o", folder / "main"], check=True)
    lines = (f"{c} {LIMITS[c].warps} {LIMITS[c].shared} {LIMITS[c].reserved} {t} {r} {s}" for c, t, r, s in CASES)
    done = subprocess.run([folder / "main"], input="\n".join(lines), capture_output=True, text=True, check=True)
    return list(map(int, done.stdout.split()))


def test_blocks_are_nvidias(nvidias):
    # More shared memory than a block may have is an error to NVIDIA's function and no block to ours.
    ours = [occupancy(*case).blocks for case in CASES]
    different = [(case, mine, theirs) for case, mine, theirs in zip(CASES, ours, nvidias, strict=True)
                 if mine != max(theirs, 0)]
    assert not different


def test_share_and_what_limits():
    assert occupancy(90, 256, 64, 0).share == 0.5 and occupancy(90, 256, 64, 0).limited_by == "registers"
    assert occupancy(80, 128, 16, 80 << 10).limited_by == "shared memory"
    assert occupancy(86, 32, 16, 0).limited_by == "blocks"
    assert occupancy(80, 1024, 32, 0).share == 1.0
    assert occupancy(42, 256, 64, 0) is None
    assert [capability_of(name) for name in ("sm_80", "sm_90a", "sm_120f")] == [80, 90, 120]
