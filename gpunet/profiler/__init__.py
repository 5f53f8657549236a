"""Where the time goes: operations forward and backward, modules, and ranges that the program names.

`profile` measures while it is on; off, it costs nothing. A GPU's time is measured by events in its queue, and ranges of
the same names appear in the time line of NVIDIA's Nsight Systems.
"""

from gpunet.profiler.annotations import emit_nvtx, record_function
from gpunet.profiler.breakdown import Breakdown, Cost
from gpunet.profiler.events import Event, EventAverage, EventList
from gpunet.profiler.profiling import (
    ProfilerAction,
    ProfilerActivity,
    kineto_available,
    profile,
    schedule,
    tensorboard_trace_handler,
)

__all__ = ["Breakdown", "Cost", "Event", "EventAverage", "EventList", "ProfilerAction", "ProfilerActivity", "emit_nvtx",
           "kineto_available", "profile", "record_function", "schedule", "tensorboard_trace_handler"]
