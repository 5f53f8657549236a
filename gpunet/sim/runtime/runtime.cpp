// The simulator's runtime library, built as one translation unit: what a barrier costs depends on inlining
// across these files. A kernel library links to it and calls what include/gpunet_sim/interface.h declares.
#include "arena.h"
#include "report.h"
#include "context_switch.h"
#include "block.h"
#include "scheduler.h"
#include "barriers.h"
#include "warps.h"
#include "shared_memory.h"
#include "asynchronous.h"
#include "tensor_core.h"
#include "pool.h"
#include "launch.h"
