"""What higher floors add to every call of an op. They set it here; dispatch and the graph look here, and nowhere else.

- `tensor`, set by `tensor.py`: the class Tensor.
- `autocast`, set by `amp/` while some thread is in mixed precision: `autocast(op, inputs)` returns the inputs to use.
- `recorder`, set by `record.py` while this thread records a step: `recorder.run(device, op, outs, arrays, attrs,
  fresh)` runs a call, `recorder.references(array)` says how often what it keeps refers to an array.
- `watch`, set by `autograd/anomaly.py` while anomaly detection is on: `watch.check(device, op, outs, arrays, attrs)` is
  called after each call, `watch.note(node)` with each new node of the graph, `watch.backward(node, gradients, joint)`
  in place of `node.backward(gradients, joint)`.
- `profiler`, set by `profiler/` while it records: `profiler.begin(op, outs, arrays, device, fresh)` and
  `profiler.end()` are called around each call, `profiler.note(node)` with each new node of the graph,
  `profiler.backward(node, gradients, joint, function)` in place of `function(node, gradients, joint)`, and
  `profiler.range(name)` and
  `profiler.module(module)` are contexts that name a part.
- `pack`, set by `autograd/graph.py` while some thread has hooks for saved tensors: `pack(node)` is called with each new
  node of the graph.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any


class Extensions:
    """The slots; None where nothing is added."""

    __slots__ = ("tensor", "autocast", "_recorder", "_records", "_turn", "watch", "profiler", "pack", "observed",
                 "note", "backward", "subclassed", "adapts")

    def __init__(self):
        self.tensor: Any = None
        self.autocast: Any = None
        self._recorder: Any = None
        self._records = 0  # the thread that records
        self._turn = threading.Lock()
        self.watch: Any = None
        self.profiler: Any = None
        self.pack: Any = None
        self.subclassed = False  # whether there is a subclass of Tensor that its operations give
        # Asked once a call, because these are the rule:
        self.observed = False  # whether a recorder, a watch or a profiler has to see each call
        self.note: Any = None  # what each new node of the graph is given to: pack, watch.note, profiler.note, or some
        self.backward: Any = None  # what is called in place of node.backward(gradients, joint), with the node first
        self.adapts = False  # whether results may have to be changed: inference_mode was used, or Tensor subclassed

    @property
    def recorder(self) -> Any:
        """What records this thread's calls, or None."""
        recorder = self._recorder
        return recorder if recorder is None or self._records == threading.get_ident() else None

    @contextmanager
    def recording(self, recorder):
        """Inside, the recorder carries this thread's calls out. Other threads that want to record wait."""
        with self._turn:
            self._records, self._recorder = threading.get_ident(), recorder
            self._combine()
            try:
                yield recorder
            finally:
                self._recorder = None
                self._combine()

    def set_watch(self, watch) -> None:
        """Turns anomaly detection on, or off with None."""
        self.watch = watch
        self._combine()

    def set_profiler(self, profiler: Any) -> None:
        """Has every call measured; None: no longer."""
        self.profiler = profiler
        self._combine()

    def set_pack(self, pack: Any) -> None:
        """Has what new nodes save packed; None: in no thread."""
        self.pack = pack
        self._combine()

    def _combine(self) -> None:
        """What follows from who looks on."""
        watch, profiler = self.watch, self.profiler
        self.observed = any(each is not None for each in (self._recorder, watch, profiler))
        notes = [note for note in (watch and watch.note, profiler and profiler.note, self.pack) if note is not None]
        self.note = (lambda node: [note(node) for note in notes]) if len(notes) > 1 else notes[0] if notes else None
        self.backward = watch and watch.backward
        if profiler is not None:
            inner = self.backward or (lambda node, gradients, joint: node.backward(gradients, joint))
            self.backward = lambda node, gradients, joint: profiler.backward(node, gradients, joint, inner)

    def set_subclassed(self) -> None:
        """Has results take the class of the operands, from now on."""
        self.subclassed = self.adapts = True


extensions = Extensions()
