// Every inline-PTX instruction, one small wrapper each; nowhere else is `asm`.
//
// The CPU simulator replaces this file by its own, with the same names and the same meaning.
#pragma once

// Address of shared memory as the 32-bit number that PTX takes.
__device__ __forceinline__ unsigned int smem_u32(const void* pointer) {
    return static_cast<unsigned int>(__cvta_generic_to_shared(pointer));
}

// cp.async: copy 16 bytes from global to shared memory without passing through registers, complete at
// cp_async_wait. Both addresses are multiples of 16. With `valid` false nothing is read and shared memory gets zeros.
// Before sm_80 there is no such instruction: the copy is an ordinary load and store, complete at once.
__device__ __forceinline__ void cp_async16(unsigned int shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#else
    uint4 value = valid ? *static_cast<const uint4*>(global) : make_uint4(0, 0, 0, 0);
    *static_cast<uint4*>(__cvta_shared_to_generic(shared)) = value;
#endif
}

// The same for 4 bytes, at addresses that are multiples of 4.
__device__ __forceinline__ void cp_async4(unsigned int shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(global), "r"(valid ? 4 : 0)
                 : "memory");
#else
    unsigned int value = valid ? *static_cast<const unsigned int*>(global) : 0u;
    *static_cast<unsigned int*>(__cvta_shared_to_generic(shared)) = value;
#endif
}

// Close the group of copies that this thread started since the last commit.
__device__ __forceinline__ void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Wait until at most N of this thread's newest groups are still under way. Other threads see the data only after a
// barrier that follows.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}
