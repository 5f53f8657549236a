"""What the checker tells: findings, one for each mistake, however many threads make it."""

from dataclasses import asdict, dataclass

from gpunet.sim.rendering import plain

KINDS = (
    "race",               # two threads use the same memory, one of them writes, and nothing orders them
    "out of bounds",      # an access outside every array, or outside the array that it means
    "uninitialised",      # a read of what nothing has written
    "divergent barrier",  # a barrier that the threads do not reach together
    "deadlock",           # all threads wait, and nothing that could wake them is to come
    "mask",               # a warp collective that not just the lanes of its mask reach, all at one place
    "misaligned",         # an address that is no multiple of what the access needs
    "argument",           # launch arguments that do not fit the kernel's parameters
    "async copy",         # memory used while an asynchronous copy is under way, or a copy that nothing waits for
    "assertion",          # assert() or __trap()
    "crash",              # the process that ran the kernel died
    "time-out",           # the kernel did not end
    "limit",              # more threads, shared memory, barriers, ... than a device has
    "misuse",             # what is left: an operation with operands that it forbids
)


@dataclass(frozen=True)
class Access:
    """The other party of a finding: what it did, where and by which thread."""

    action: str
    file: str
    line: int | None
    source: str
    block: tuple[int, int, int] | None
    thread: tuple[int, int, int] | None


@dataclass(frozen=True)
class Finding:
    """One mistake of a kernel.

    kind: one of KINDS. message: one sentence. file, line, source: where in the user's source, and that line's text.
    block, thread: the first that was found. array, index: parameter or shared variable, and the element (flat index,
    or one number for each dimension). other: the other party, of a race or an asynchronous copy. count: how many
    threads were found doing the same.
    """

    kind: str
    message: str
    kernel: str
    file: str
    line: int | None = None
    source: str = ""
    block: tuple[int, int, int] | None = None
    thread: tuple[int, int, int] | None = None
    array: str | None = None
    index: int | tuple[int, ...] | None = None
    other: Access | None = None
    count: int = 1

    def as_dict(self) -> dict:
        """Plain numbers, strings, lists and dictionaries, for JSON."""
        return asdict(self)

    @property
    def element(self) -> str | None:
        """The array and the element as C writes it, such as `tile[3][5]`."""
        if self.array is None or self.index is None:
            return self.array
        index = self.index if isinstance(self.index, tuple) else (self.index,)
        return self.array + "".join(f"[{i}]" for i in index)

    def __str__(self) -> str:
        return plain(self)
