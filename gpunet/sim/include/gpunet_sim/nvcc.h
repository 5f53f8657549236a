// For sources that include headers which only nvcc finds: what these bring of the C library, and the names of the
// libraries' namespaces, since `using namespace` is no use of what is in them.
#pragma once
#include <float.h>
#include <limits.h>
#include <stdlib.h>

namespace nvcuda { namespace wmma {} }
namespace cub {}
namespace thrust {}
namespace cutlass {}
namespace cute {}
