"""Reading kernel declarations, and the launcher's conversions that rest on them."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.kernel import Kernel, signature
from gpunet.kernel.launch import Launcher
from gpunet.sim.translate import rewrite

SOURCE = """
// __global__ void commented(int a);
#define UNUSED __global__ void macro(int a);
typedef unsigned int u32;
using Count = unsigned long long;
__global__ void plain(float* out, const float *x, int n);
extern "C" __global__ void __launch_bounds__(256, 2) bounded(double* __restrict__ y, long long n) { }
__global__ __launch_bounds__(32 * (4 + 4)) void between(bool flag, unsigned char* mask) { }
namespace { struct Helper { int a; }; }
template <typename T, int V = 4> __global__ void relu(T* __restrict__ out, T const* const x, const T slope, u32 n) { }
template <class T, typename A = T, bool TURNED = false>
__global__ void
    __launch_bounds__(TURNED ? 1024 : 256, 5 - sizeof(A) / 64)
    mixed(A* sums, /* the rows */ const T* x, Count n, unsigned short s, long long unsigned z, void* any) { }
template <typename T> __device__ T helper(T x) { return x; }
__global__ void nothing() { }
__global__ void record(const __grid_constant__ struct Map map, signed char c);
"""


@pytest.mark.parametrize("expression, expected", [
    ("plain", "float* out, float* x, int n"),
    ("bounded", "double* y, long long n"),
    ("between", "bool flag, unsigned char* mask"),
    ("relu<float>", "float* out, float* x, float slope, unsigned int n"),
    ("relu<__nv_bfloat16, 8>", "__nv_bfloat16* out, __nv_bfloat16* x, __nv_bfloat16 slope, unsigned int n"),
    ("mixed<__half,float>", "float* sums, __half* x, unsigned long long n, unsigned short s, unsigned long long z, "
                            "void* any"),
    ("mixed<double>", "double* sums, double* x, unsigned long long n, unsigned short s, unsigned long long z, "
                      "void* any"),
    ("nothing", ""),
    ("record", "Map map, signed char c"),
])
def test_parameters(expression, expected):
    assert ", ".join(map(str, signature.parameters(SOURCE, expression))) == expected


@pytest.mark.parametrize("declaration", [
    "__global__ void __launch_bounds__(128) k(float* y) {}",
    "__launch_bounds__(128, 2) __global__ void k(float* y) {}",
    "__global__ void __cluster_dims__(2, 1, 1) k(float* y) {}",
    "__cluster_dims__(2, 1, 1) __global__ void k(float* y) {}",
    "static __global__ void __launch_bounds__(128) __cluster_dims__(2, 1, 1) k(float* y) {}",
    "__global__ void __cluster_dims__(2) __launch_bounds__(128) k(float* y);",
    'extern "C" __global__ void __attribute__((used)) k(float* y) {}',
    "__global__ __maxnreg__(64) void k(float* y) {}",
    "__global__ [[maybe_unused]] [[deprecated(old)]] void k(float* y) {}",
    "__global__ void k(float* y) __attribute__((used)) {}",
    "__global__ void BOUNDS(256) k(float* y) {}",
    "template <int N> __global__ void __launch_bounds__(N > 2 ? N : (2)) k(float* y) { f(y); }",
    "__global__ std::enable_if_t<true, void> k(float* y) { f(y); }",
])
def test_attributes_stand_anywhere(declaration):
    text = f"__global__ void first(int n) {{ }} {declaration} int f(float*);"
    assert list(signature.kernels(text)) == ["first", "k"]
    assert [str(each) for each in signature.parse(text, "k").parameters] == ["float* y"]
    code = rewrite.rewrite(f"{text}\n", "k.cu", lambda *about: None, ("k<4>",), only="k")
    assert [each.parameters for each in code.named("k")] == [("y",)] * (
        "{" in declaration and "template" not in declaration)
    assert all(each.most_threads == (128 if "__launch_bounds__(128" in declaration else None)
               for each in code.named("k"))


@pytest.mark.parametrize("expression, message", [
    ("missing", "no kernel named 'missing'; the source declares: between, bounded, mixed, nothing, plain, record, "
                "relu"),
    ("commented", "no kernel named"),
    ("macro", "no kernel named"),
    ("relu<float,4,5>", "kernel relu has 2 template parameters, got 3"),
    ("relu", "kernel relu needs a template argument for 'T'"),
])
def test_what_does_not_fit_is_said(expression, message):
    with pytest.raises(signature.SignatureError, match=message):
        signature.parameters(SOURCE, expression)


@pytest.mark.parametrize("declaration", ["int", "float** p", "float& x", "float x[4]"])
def test_parameters_that_cannot_be_passed(declaration):
    with pytest.raises(signature.SignatureError, match="cannot read the parameter"):
        signature.parse(f"__global__ void k({declaration});", "k")


@pytest.mark.parametrize("argument, expected", [
    (np.float32, "float"), (np.dtype("float64"), "double"), (np.dtype(np.float16), "__half"),
    (np.dtype(ml_dtypes.bfloat16), "__nv_bfloat16"), (np.int64, "long long"), (np.bool_, "bool"),
    (True, "true"), (False, "false"), (4, "4"), (np.int32(-3), "-3"), ("Add", "Add"),
])
def test_template_arguments(argument, expected):
    assert signature.spell(argument) == expected


def test_a_type_without_a_counterpart():
    with pytest.raises(signature.SignatureError, match="no CUDA C\\+\\+ type for the array type complex64"):
        signature.spell(np.complex64)


class Recorder:
    """Stands for a compiled kernel; keeps what it was launched with."""

    max_dynamic_shared_size_bytes = 0
    launched = None

    def __call__(self, grid, block, args, shared_mem=0):
        self.launched = grid, block, args, shared_mem


def launcher(expression):
    return Launcher(expression, signature.parameters(SOURCE, expression), Recorder())


def test_numbers_take_the_declared_type():
    launch = launcher("mixed<float,double>")
    sums, x = np.zeros(2), np.zeros(2, np.float32)
    launch((2, 3), 64, sums, x, 2**63, 7, np.int8(9), None, shared=128)
    grid, block, args, shared = launch.function.launched
    assert (grid, block, shared) == ((2, 3), (64,), 128)
    assert args[0] is sums and args[1] is x and args[5] is None
    assert [type(value) for value in args[2:5]] == [np.uint64, np.uint16, np.uint64]
    assert args[2:5] == (2**63, 7, 9)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, 1, True, np.float64(0.25), float("inf"), float("nan")])
def test_floating_point_numbers(value):
    launch = launcher("relu<float>")
    x = np.zeros(2, np.float32)
    for _ in range(2):  # the second time it may come from the kept numbers
        launch(1, 1, x, x, value, 2)
        passed = launch.function.launched[2][2]
        assert type(passed) is np.float32
        np.testing.assert_array_equal(passed, np.float32(value))
        assert np.signbit(passed) == np.signbit(value)


def test_many_different_numbers_do_not_pile_up():
    launch = launcher("plain")
    x = np.zeros(2, np.float32)
    for n in range(10_000):
        launch(1, 1, x, x, n)
    assert launch.function.launched[2][2] == 9_999
    assert all(len(convert.__self__) <= 4096 for convert in launch._converters[2:])


X, WIDE = np.zeros(4, np.float32), np.zeros(4)


@pytest.mark.parametrize("arguments, message", [
    ((X, X), r"kernel plain takes 3 arguments \(float\* out, float\* x, int n\), got 2"),
    ((X, X, 2.5), "kernel plain, parameter 'int n': the Python float 2.5 does not fit"),
    ((X, X, 2**31), "parameter 'int n': the Python int 2147483648 does not fit"),
    ((X, X, None), "parameter 'int n': needs a number, got None"),
    ((X, X, X), r"parameter 'int n': needs a number, got a host float32 array of shape \(4,\)"),
    ((X, 3, 4), r"parameter 'float\* x': needs an array \(or None\), got the Python int 3"),
    ((WIDE, X, 4), r"parameter 'float\* out': needs a float32 array, got a host float64 array of shape \(4,\)"),
    ((X, X[::2], 4), r"parameter 'float\* x': needs a C-contiguous array"),
])
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        launcher("plain")(1, 1, *arguments)


def test_an_empty_grid_launches_nothing():
    launch = launcher("plain")
    launch(0, 256, X, X, 0)
    launch((4, 0), 256, X, X, 0)
    assert launch.function.launched is None


def test_more_than_48_kilobytes_of_shared_memory_are_asked_for_once():
    launch = launcher("plain")
    launch(1, 1, X, X, 0, shared=48 * 1024)
    assert launch.function.max_dynamic_shared_size_bytes == 0
    launch(1, 1, X, X, 0, shared=100_000)
    launch(1, 1, X, X, 0, shared=60_000)
    assert launch.function.max_dynamic_shared_size_bytes == 100_000


def test_a_kernel_is_loaded_once_for_each_device_and_instance(tmp_path):
    path = tmp_path / "own.cu"
    path.write_text("template <typename T, int V> __global__ void own(T* x, int n);")
    kernel = Kernel(path, "own", ("-fmad=false",))

    class Device:
        def __init__(self):
            self.loaded = []

        def load(self, file, expression, options):
            self.loaded.append((file, expression, options))
            return Recorder()

    first, second = Device(), Device()
    assert kernel.on(first, np.float32, 4) is kernel.on(first, np.float32, 4)
    kernel.on(first, np.float64, 4)
    kernel.on(second, np.float32, 4)
    assert first.loaded == [(path, "own<float,4>", ("-fmad=false",)), (path, "own<double,4>", ("-fmad=false",))]
    assert second.loaded == first.loaded[:1]


def test_the_kernels_of_a_text():
    text = """
    namespace outer { namespace inner { template <typename T, int N = 3> __global__ void __launch_bounds__(N) a(T& x); }
    static __global__ void b(float2* x, int n) {} namespace { extern "C" __global__ void c() {} } }
    // __global__ void commented();
    __global__ void d(float (*x)[4]) {}
    """
    assert signature.kernels(text) == {"outer::inner::a": ("T", "N"), "outer::b": (), "outer::c": (), "d": ()}
