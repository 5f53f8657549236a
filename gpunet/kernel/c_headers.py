"""The headers of the C library that kernels include, for NVRTC, which has none of the host's.

What they declare is built into NVRTC (printf, assert, the mathematical functions) or is written here. So a kernel that
compiles with nvcc, or on the simulator, for its types and constants, does so with NVRTC too.
"""

_INTEGERS = "".join(
    f"typedef {sign}{kind} {prefix}int{bits}_t;\n"
    for bits, kind in ((8, "char"), (16, "short"), (32, "int"), (64, "long long"))
    for sign, prefix in (("signed ", ""), ("unsigned ", "u"))
) + "typedef long long intptr_t;\ntypedef unsigned long long uintptr_t;\n" + "".join(
    f"#define INT{bits}_MAX {2 ** (bits - 1) - 1}{suffix}\n"
    f"#define INT{bits}_MIN (-INT{bits}_MAX - 1)\n"
    f"#define UINT{bits}_MAX {2**bits - 1}{'u' * bool(suffix or bits == 32)}{suffix}\n"
    for bits, suffix in ((8, ""), (16, ""), (32, ""), (64, "ll"))
)
_LIMITS = """#define CHAR_BIT 8
#define INT_MAX 2147483647
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX 4294967295u
#define LLONG_MAX 9223372036854775807ll
#define LLONG_MIN (-LLONG_MAX - 1)
#define ULLONG_MAX 18446744073709551615ull
"""
_FLOATS = """#define FLT_MAX 3.402823466e+38f
#define FLT_MIN 1.175494351e-38f
#define FLT_EPSILON 1.192092896e-07f
#define DBL_MAX 1.7976931348623158e+308
#define DBL_MIN 2.2250738585072014e-308
#define DBL_EPSILON 2.2204460492503131e-16
"""
_MATH = """#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)
#define M_PI 3.14159265358979323846
"""
_ONCE = "#pragma once\n"

# Name -> text.
HEADERS = {name: _ONCE + text for names, text in (
    (("stdint.h", "cstdint"), _INTEGERS),
    (("limits.h", "climits"), _LIMITS),
    (("float.h", "cfloat"), _FLOATS),
    (("math.h", "cmath", "math_constants.h"), _MATH),
    (("stdio.h", "cstdio", "stdlib.h", "cstdlib", "assert.h", "cassert", "string.h", "cstring"), ""),
    (("cuda_runtime.h", "cuda_runtime_api.h", "device_launch_parameters.h"), ""),  # built into NVRTC
) for name in names}
