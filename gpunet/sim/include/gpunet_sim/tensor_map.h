// The descriptor of an array for bulk tensor copies; gpunet.sim.tensor_map fills it.
#pragma once

struct alignas(64) CUtensorMap {
  unsigned long long opaque[16];
};
