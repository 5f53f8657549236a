// Kernels whose lanes go different ways, for the contest between the simulator's engines.

extern "C" __global__ void mandelbrot(int* steps, int width, int height, int most) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    const float re = -2.2f + 3.2f * x / width, im = -1.4f + 2.8f * y / height;
    float a = 0, b = 0;
    int n = 0;
    while (n < most && a * a + b * b < 4) {
        const float next = a * a - b * b + re;
        b = 2 * a * b + im;
        a = next;
        n++;
    }
    steps[y * width + x] = n;
}

extern "C" __global__ void collatz(int* steps, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    unsigned long long n = i + 1;
    int k = 0;
    for (; n != 1; k++) {
        if (n % 2)
            n = 3 * n + 1;
        else
            n /= 2;
    }
    steps[i] = k;
}

// Where each key would stand in a sorted list; the ways end early where it is met.
extern "C" __global__ void search(int* at, const int* keys, const int* sorted, int count, int length) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int low = 0, high = length, key = keys[i];
    while (low < high) {
        const int middle = (low + high) / 2, here = sorted[middle];
        if (here == key) {
            low = middle;
            break;
        }
        if (here < key)
            low = middle + 1;
        else
            high = middle;
    }
    at[i] = low;
}

// A small machine: each lane runs a program of its own.
extern "C" __global__ void chain(float* y, const unsigned* programs, int count, int length) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float value = 1.0f + i % 7, kept = 0;
    for (int k = 0; k < length; k++) {
        const unsigned what = programs[(k * count + i) % count] >> (k % 29) & 15;
        if (what == 0) {
            value = value * 1.5f + 1;
        } else if (what == 1) {
            value = value * 0.25f;
        } else if (what == 2) {
            for (unsigned j = 0; j < what + k % 5; j++) value -= 0.125f * kept;
        } else if (what == 3) {
            kept = value;
        } else if (what < 6) {
            if (value > kept) {
                value -= kept;
                if (value > 100) value *= 0.01f;
            } else {
                kept -= value;
            }
        } else if (what < 9) {
            value = sqrtf(value < 0 ? -value : value);
        } else if (what < 12) {
            kept += 1;
        } else if (what == 12) {
            value = kept, kept = 1;
        } else {
            if (what == 15) continue;
            value += what == 13 ? 2.0f : -3.0f;
        }
    }
    y[i] = value + kept;
}

// Rows of different lengths, as of a sparse matrix: each lane adds up one.
extern "C" __global__ void rows(float* y, const int* starts, const int* columns, const float* values, const float* x,
                                int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float sum = 0;
    for (int k = starts[i]; k < starts[i + 1]; k++) sum += values[k] * x[columns[k]];
    y[i] = sum;
}
