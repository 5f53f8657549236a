"""What higher floors add to every call of an op. They set it here; dispatch and the graph look here, and nowhere else.

- `tensor`, set by `tensor.py`: the class Tensor.
- `autocast`, set by `amp/` while some thread is in mixed precision: `autocast(op, inputs)` returns the inputs to use.
- `recorder`, set by `record.py` while a step is recorded: `recorder.run(device, op, outs, arrays, attrs)` runs a call.
- `watch`, set by `autograd/anomaly.py` while anomaly detection is on: `watch.check(device, op, outs, arrays, attrs)` is
  called after each call, `watch.note(node)` with each new node of the graph, `watch.backward(node, gradients)` in place
  of `node.backward(gradients)`.
- `pack`, set by `autograd/graph.py` while some thread has hooks for saved tensors: `pack(node)` is called with each new
  node of the graph.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any


class Extensions:
    """The slots; None where nothing is added."""

    __slots__ = ("tensor", "autocast", "recorder", "watch", "pack", "observed", "note", "subclassed",
                 "adapts")

    def __init__(self):
        self.tensor: Any = None
        self.autocast: Any = None
        self.recorder: Any = None
        self.watch: Any = None
        self.pack: Any = None
        self.subclassed = False  # whether there is a subclass of Tensor that its operations give
        # Asked once a call, because these are the rule:
        self.observed = False  # whether a recorder or a watch has to see each call
        self.note: Any = None  # what each new node of the graph is given to: watch.note, pack, or both
        self.adapts = False  # whether results may have to be changed: inference_mode was used, or Tensor subclassed

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
        self._set_note()

    def set_pack(self, pack: Any) -> None:
        """Has what new nodes save packed; None: in no thread."""
        self.pack = pack
        self._set_note()

    def _set_note(self) -> None:
        notes = [note for note in (self.watch and self.watch.note, self.pack) if note is not None]
        self.note = (lambda node: [note(node) for note in notes]) if len(notes) == 2 else notes[0] if notes else None

    def set_subclassed(self) -> None:
        """Has results take the class of the operands, from now on."""
        self.subclassed = self.adapts = True


extensions = Extensions()
