"""Queues of work on a GPU, and marks in them."""

from __future__ import annotations

from typing import Any

from gpunet.cuda.gpus import Which, gpu
from gpunet.devices import device as Device
from gpunet.devices import opened


class Stream:
    """A queue of work on a GPU. Work in different queues may overlap; `wait_stream` and events order it.

    Args:
        device: the GPU.
        priority: negative numbers are urgent, 0 is not.
        kwargs: `stream_ptr`, the address of a queue that another library has made.

    Attributes:
        device: the GPU's device.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     side = gpunet.cuda.Stream()
        ...     with gpunet.cuda.stream(side):
        ...         x = gpunet.zeros(2, device="cuda")
        ...     gpunet.cuda.current_stream().wait_stream(side)
    """

    def __init__(self, device: Which = None, priority: int = 0, **kwargs: Any) -> None:
        self._gpu = gpu(device)
        cuda = self._gpu.xp.cuda
        if "stream_ptr" in kwargs:
            self._queue = cuda.ExternalStream(kwargs["stream_ptr"], self._gpu.index)
        else:
            self._queue = self._gpu.call(lambda: cuda.Stream(non_blocking=True, priority=priority))

    @classmethod
    def _of(cls, device: Any, queue: Any) -> Stream:
        made = cls.__new__(cls)
        made._gpu, made._queue = device, queue
        return made

    @property
    def device(self) -> Device:
        """The GPU's device."""
        return self._gpu.name

    @property
    def cuda_stream(self) -> int:
        """The queue's address, for other libraries."""
        return self._queue.ptr

    def query(self) -> bool:
        """Whether all work in the queue is done."""
        return self._gpu.call(lambda: self._queue.done)

    def synchronize(self) -> None:
        """Waits for all work in the queue."""
        self._gpu.call(self._queue.synchronize)

    def record_event(self, event: Event | None = None) -> Event:
        """Puts a mark into the queue.

        Args:
            event: the mark; a new one by default.
        """
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Has later work in this queue wait for a mark.

        Args:
            event: the mark.
        """
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """Has later work in this queue wait for all work that is in another one now.

        Args:
            stream: the other queue.
        """
        self.wait_event(stream.record_event())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.device, self.cuda_stream) == (other.device, other.cuda_stream)

    def __hash__(self) -> int:
        return hash((self.device, self.cuda_stream))

    def __repr__(self) -> str:
        return f"<gpunet.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


class Event:
    """A mark in a queue of work: for waiting, and for measuring the time between two marks.

    Args:
        enable_timing: whether `elapsed_time` can be asked.
        blocking: whether the host sleeps while it waits.
        interprocess: must be False: processes do not share a GPU's memory.
        external: accepted as in PyTorch; it matters in CUDA graphs that are captured by hand.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     start, end = (gpunet.cuda.Event(enable_timing=True) for _ in range(2))
        ...     start.record()
        ...     y = gpunet.zeros(1000, device="cuda").exp()
        ...     end.record()
        ...     end.synchronize()
        ...     assert start.elapsed_time(end) >= 0
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False,
                 external: bool = False) -> None:
        if interprocess:
            raise RuntimeError("cuda.Event: interprocess must be False: processes do not share a GPU's memory")
        self._gpu, self._timed, self._blocking = gpu(), enable_timing, blocking
        self._mark: Any = None  # made where it is recorded

    def record(self, stream: Stream | None = None) -> None:
        """Puts the mark into a queue.

        Args:
            stream: the queue; the current one by default.
        """
        stream = current_stream() if stream is None else stream
        if self._mark is None or self._gpu is not stream._gpu:
            self._gpu = stream._gpu
            made = self._gpu.xp.cuda.Event
            self._mark = self._gpu.call(lambda: made(block=self._blocking, disable_timing=not self._timed))
        self._gpu.call(self._mark.record, stream._queue)

    def wait(self, stream: Stream | None = None) -> None:
        """Has later work in a queue wait for the mark; without a mark there is nothing to wait for.

        Args:
            stream: the queue; the current one by default.
        """
        stream = current_stream() if stream is None else stream
        if self._mark is not None:
            stream._gpu.call(stream._queue.wait_event, self._mark)

    def query(self) -> bool:
        """Whether all work before the mark is done."""
        return self._mark is None or self._gpu.call(lambda: self._mark.done)

    def synchronize(self) -> None:
        """Waits for all work before the mark."""
        if self._mark is not None:
            self._gpu.call(self._mark.synchronize)

    def elapsed_time(self, end_event: Event) -> float:
        """The milliseconds from this mark to a later one.

        Args:
            end_event: the later mark.

        Raises:
            RuntimeError: a mark is in no queue, or was made without `enable_timing`.
        """
        for event in (self, end_event):
            if event._mark is None or not event._timed:
                raise RuntimeError("elapsed_time: both events must be made with enable_timing=True and be recorded")
        return self._gpu.call(self._gpu.xp.cuda.get_elapsed_time, self._mark, end_event._mark)


def current_stream(device: Which = None) -> Stream:
    """The queue into which this thread's work goes.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.current_stream().synchronize()
    """
    found = gpu(device)
    return Stream._of(found, found.call(found.xp.cuda.get_current_stream))


def default_stream(device: Which = None) -> Stream:
    """The queue into which work goes unless `stream` says another.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     assert gpunet.cuda.default_stream() == gpunet.cuda.current_stream()
    """
    found = gpu(device)
    return Stream._of(found, found.xp.cuda.Stream.null)


def set_stream(stream: Stream) -> None:
    """Sends this thread's work into a queue from now on.

    Args:
        stream: the queue; None changes nothing.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.set_stream(gpunet.cuda.default_stream())
    """
    if stream is not None:
        stream._gpu.call(stream._queue.use)


class StreamContext:
    """What `stream` returns.

    Args:
        stream: the queue; None changes nothing.

    Examples:
        >>> with gpunet.cuda.StreamContext(None):
        ...     x = gpunet.zeros(2)
    """

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self._before = current_stream(self.stream.device)
            set_stream(self.stream)

    def __exit__(self, type: Any, value: Any, traceback: Any) -> None:
        if self.stream is not None:
            set_stream(self._before)


def stream(stream: Stream | None) -> StreamContext:
    """Sends the work inside a `with` block into a queue.

    Args:
        stream: the queue; None changes nothing.

    Examples:
        >>> with gpunet.cuda.stream(None):
        ...     x = gpunet.zeros(2)
    """
    return StreamContext(stream)


def is_current_stream_capturing() -> bool:
    """Whether this thread's work is being captured into a CUDA graph, as `gpunet.compile` does.

    Examples:
        >>> gpunet.cuda.is_current_stream_capturing()
        False
    """
    return bool(opened("cuda")) and bool(current_stream()._queue.is_capturing())
