// out[i] = x[i] / (1 + |x[i]|)
//
// A thread takes every (number of threads)-th element, so that any one-dimensional grid and block do.
template <typename T>
__global__ void __launch_bounds__(256) my_kernel(T* out, const T* x, long long size) {
    const long long threads = static_cast<long long>(gridDim.x) * blockDim.x;
    for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += threads) {
        const T value = x[i];
        out[i] = value / (T(1) + (value < T(0) ? -value : value));
    }
}
