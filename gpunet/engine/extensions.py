"""What higher floors add to every call of an op. They set it here; dispatch and the graph look here, and nowhere else.

- `tensor`, set by `tensor.py`: the class Tensor.
- `autocast`, set by `amp/` while some thread is in mixed precision: `autocast(op, inputs)` returns the inputs to use.
- `recorder`, set by `record.py` while a step is recorded: `recorder.run(device, op, outs, arrays, attrs)` runs a call.
- `watch`, set by `autograd/anomaly.py` while anomaly detection is on: `watch.check(device, op, outs, arrays, attrs)` is
  called after each call, `watch.note(node)` with each new node of the graph, `watch.backward(node, gradients)` in place
  of `node.backward(gradients)`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any


class Extensions:
    """The slots; None where nothing is added."""

    __slots__ = ("tensor", "autocast", "recorder", "watch", "observed", "inference")

    def __init__(self):
        self.tensor: Any = None
        self.autocast: Any = None
        self.recorder: Any = None
        self.watch: Any = None
        # Asked once a call, because these are the rule:
        self.observed = False  # whether a recorder or a watch has to see each call
        self.inference = False  # whether any thread has used inference_mode

    @contextmanager
    def recording(self, recorder):
        """Inside, the recorder carries the calls out."""
        self.recorder, self.observed = recorder, True
        try:
            yield recorder
        finally:
            self.recorder, self.observed = None, self.watch is not None

    def set_watch(self, watch) -> None:
        """Turns anomaly detection on, or off with None."""
        self.watch = watch
        self.observed = watch is not None or self.recorder is not None


extensions = Extensions()
