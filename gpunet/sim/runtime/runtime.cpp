// The simulator's runtime library, built as one translation unit: what a barrier costs depends on inlining
// across these files. A kernel library links to it and calls what include/gpunet_sim/interface.h declares.
#include "arena.h"
#include "report.h"
#include "context_switch.h"
#include "block.h"
#ifdef GPUNET_SIM_CHECK
#include "check/declarations.h"
#else
#include "no_check.h"
#endif
#include "scheduler.h"
#include "barriers.h"
#include "warps.h"
#include "shared_memory.h"
#include "convergence.h"
#include "asynchronous.h"
#include "mbarrier.h"
#include "bulk_copies.h"
#include "tensor_core.h"
#include "wgmma.h"
#ifdef GPUNET_SIM_CHECK
#include "check/shadow.h"
#include "check/order.h"
#include "check/places.h"
#include "check/access.h"
#include "check/null_pointers.h"
#include "check/outside.h"
#include "check/copies.h"
#include "check/hopeless.h"
#include "check/outputs.h"
#include "check/course.h"
#include "check/hooks.h"
#endif
#include "interrupt.h"
#include "pool.h"
#include "launch.h"
#ifdef GPUNET_SIM_CHECK
#include "check/last_words.h"
#endif
