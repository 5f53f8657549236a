"""Record a step once, then replay it without Python: `gpunet.compile`.

While a step is recorded, every call that dispatch makes (op, outputs, inputs, attributes) is carried out and noted. All
arrays stay where they are, so the list of calls is a program: on cpu and sim it is run through again, on a GPU it
becomes a CUDA graph. Nothing is re-ordered, so results are bit-identical to the eager step.
"""

from __future__ import annotations

import functools
import threading

from gpunet import random
from gpunet.dispatch import Op, is_tensor
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode


class Recorder:
    """What dispatch tells about a step while it runs."""

    def __init__(self):
        self.calls = []
        self.device = None
        self.thread = threading.get_ident()
        self.refreshers: list = []  # functions to call before each replay
        self.streams: dict = {}  # generator -> [state tensor, blocks drawn]

    def run(self, device, op: Op, outs, arrays, attrs) -> None:
        """Carries a call out and notes it."""
        if threading.get_ident() != self.thread:  # somebody else's work, such as loading the next batch
            device.run(op, outs, arrays, attrs)
            return
        if self.device is None:
            self.device = device
        elif device is not self.device:
            raise RuntimeError(f"gpunet.compile: the recorded function computes on {self.device} and on {device}; a "
                               "recording holds the calls of one device: move the other part outside")
        device.run(op, outs, arrays, attrs)
        self.calls.append((op, outs, tuple(arrays), attrs))

    def draw(self, generator, device, blocks: int):
        """Random blocks relative to a base in device memory, which each replay moves on."""
        stream = self.streams.get(generator)
        if stream is None:
            state = random.make_state(device)
            random.write_state(state, *generator.position())
            stream = self.streams[generator] = [state, 0]
        elif stream[0]._device is not device:
            raise RuntimeError("gpunet.compile: one generator draws on two devices inside the recorded function; "
                               "give each device its own gpunet.Generator")
        first = stream[1]
        stream[1] += blocks
        return stream[0], first

    def before_replay(self, function) -> None:
        """Asks for `function()` to be called before each replay: it brings host values, such as a learning rate,
        to device memory."""
        if function not in self.refreshers:
            self.refreshers.append(function)


class _Recording:
    """A recorded step: its static inputs and outputs, and how to run it again."""

    def __init__(self, function, tensors, rebuild):
        # Own copies of the inputs: later calls copy theirs over them.
        self.inputs = [t.detach().clone() for t in tensors]
        for own, given in zip(self.inputs, tensors, strict=True):
            own._requires_grad = given._requires_grad
        self.recorder = recorder = Recorder()
        if extensions.recorder is not None:
            raise RuntimeError("gpunet.compile: a compiled function cannot be called inside another one's recording")
        with extensions.recording(recorder):
            self.result = function(*rebuild(self.inputs))
        for generator, (_, blocks) in recorder.streams.items():
            generator.skip(blocks)
        self.replay = recorder.device.compile_calls(recorder.calls) if recorder.calls else lambda: None

    def __call__(self, tensors):
        for own, given in zip(self.inputs, tensors, strict=True):
            if own._array is not given._array:
                own.detach().copy_(given.detach())
        for refresh in self.recorder.refreshers:
            refresh()
        for generator, (state, blocks) in self.recorder.streams.items():
            random.write_state(state, *generator.position())
            generator.skip(blocks)
        self.replay()
        return self.outputs()

    def outputs(self):
        """Copies of the results, so that the next replay does not change what the caller holds."""
        return map_tensors(self.result, lambda t: t.detach().clone())


def map_tensors(value, function):
    """`value` with `function` applied to each tensor in its tuples, lists and dicts."""
    if is_tensor(value):
        return function(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(v, function) for v in value))
    if isinstance(value, (tuple, list)):
        return type(value)(map_tensors(v, function) for v in value)
    if isinstance(value, dict):
        return {k: map_tensors(v, function) for k, v in value.items()}
    return value


def _key(value):
    """What of an argument a recording depends on: a tensor's kind, and everything else's value."""
    if is_tensor(value):
        return "tensor", value._array.shape, value._array.dtype, value._device, value._requires_grad
    if isinstance(value, (tuple, list)):
        return type(value), *(_key(v) for v in value)
    if isinstance(value, dict):
        return dict, *((k, _key(v)) for k, v in value.items())
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value


def compile(function):
    """Makes a function of tensors, such as a whole training step, fast by recording it and replaying the recording.

    The first call with arguments of new shapes, types, devices (or other non-tensor values) runs as usual, so that
    optimizers can make their state; the second is recorded; from the third on the recording is replayed: the same
    operations in the same order and memory, without Python. On a GPU it is one CUDA graph. Results are copies.

        @gpunet.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    What the function does besides tensor operations happens only while recording: it must always take the same way for
    the same kinds of arguments. Reading values on the host (item(), if on a tensor, print) raises RuntimeError.
    Tensors that it uses but does not receive (parameters, buffers) must be changed in place, not replaced. Dropout
    draws new numbers in each replay, learning rates follow their schedule.
    """
    seen: set = set()
    recordings: dict = {}

    @functools.wraps(function)
    def step(*args, **kwargs):
        tensors: list = []
        map_tensors((args, kwargs), lambda t: tensors.append(t) or t)
        mixed = mode.autocast and tuple(mode.autocast.types.items())
        key = _key((args, kwargs)), mode.grad, mixed
        recording = recordings.get(key)
        if recording is not None:
            return recording(tensors)
        if key not in seen:
            seen.add(key)
            return function(*args, **kwargs)

        def rebuild(own):
            remaining = iter(own)
            return (map_tensors((args, kwargs), lambda _: next(remaining)),)

        recording = _Recording(lambda both: function(*both[0], **both[1]), tensors, rebuild)
        recordings[key] = recording
        return recording.outputs()

    step.recordings = recordings
    return step
