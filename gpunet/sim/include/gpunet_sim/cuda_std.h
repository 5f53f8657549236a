// cuda::std is what device code may use of the C++ library. What of it stands for something on the host is named in
// translate/surface.py.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

#include "nvcc.h"

namespace cuda::std {
using namespace ::std;
}
