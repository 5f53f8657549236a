"""A training step of the MLP 784-256-128-10 (forward, cross-entropy, backward, Adam), gpunet's against PyTorch's.

    python -m bench.training [--device cpu|cuda|sim] [--threads N] [--out FILE.json]

Each library works in a process of its own, one at a time and in turn: in one process their thread pools would wait
actively for work on each other's cores. Both get the same number of threads and the same data, and start from the
same weights; that their losses agree is checked first. One timing is a number of steps, after some that are not timed,
until the device has finished the last.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from time import perf_counter

import numpy as np

from bench.measure import Result, Work, interleave, told_clock
from gpunet.benchmark.lab import optional

SIZES = (784, 256, 128, 10)
BATCHES = (64, 512)
LR = 1e-3
_CHECKED = 10  # steps whose losses must agree
_AGREE = 1e-3  # relative

# In the environment of a library's process: threads of OpenBLAS, OpenMP and MKL.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "GPUNET_NUM_THREADS")


def data(batch: int, sizes=SIZES):
    """Images and labels: random, but the same for every library."""
    rng = np.random.default_rng(batch)
    return rng.standard_normal((batch, sizes[0])).astype(np.float32), rng.integers(0, sizes[-1], batch)


def weights(sizes=SIZES) -> dict[str, np.ndarray]:
    """The weights to start from, by the names of an MLP of linear layers with ReLUs between them."""
    rng = np.random.default_rng(0)
    found = {}
    for i, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        bound = 1 / math.sqrt(inputs)
        found[f"{2 * i}.weight"] = rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)
        found[f"{2 * i}.bias"] = rng.uniform(-bound, bound, outputs).astype(np.float32)
    return found


# ---- the libraries, each in its own process -------------------------------------------------------------------------
# A library gives, per variant, `make(batch) -> step`: step() does one training step and returns its loss.


def _step(library, model, optimizer, x, y):
    cross_entropy = library.nn.functional.cross_entropy

    def step():
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _model(library, sizes):
    layers = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [library.nn.Linear(inputs, outputs), library.nn.ReLU()]
    model = library.nn.Sequential(*layers[:-1])
    model.load_state_dict({name: library.tensor(value) for name, value in weights(sizes).items()})
    return model


def gpunet_variants(device: str, sizes, compiled: bool) -> tuple[dict[str, Callable], Callable]:
    """Variants by name, and a function that waits for the device."""
    import gpunet

    def make(batch):
        x, y = (gpunet.tensor(each, device=device) for each in data(batch, sizes))
        model = _model(gpunet, sizes).to(device)
        return _step(gpunet, model, gpunet.optim.Adam(model.parameters(), lr=LR), x, y)

    opened = gpunet.devices.get(device)
    return {"gpunet": make, "gpunet compiled": lambda batch: gpunet.compile(make(batch))}, opened.synchronize


def torch_variants(device: str, sizes, compiled: bool) -> tuple[dict[str, Callable], Callable]:
    """The same for PyTorch; on a GPU also as a CUDA graph, and on request with torch.compile."""
    import torch

    on_gpu = device.startswith("cuda")
    place = device if on_gpu else "cpu"
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.backends.cuda.matmul.allow_tf32 = False

    def make(batch, **options):
        x, y = (torch.tensor(each, device=place) for each in data(batch, sizes))
        model = _model(torch, sizes).to(place)
        return _step(torch, model, torch.optim.Adam(model.parameters(), lr=LR, **options), x, y)

    def by_compiler(batch):
        x, y = (torch.tensor(each, device=place) for each in data(batch, sizes))
        model = _model(torch, sizes).to(place)
        optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
        return _step(torch, torch.compile(model, dynamic=False), optimizer, x, y)

    def graph(batch):
        step = make(batch, fused=True, capturable=True)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        losses = []
        with torch.cuda.stream(side):
            for _ in range(3):
                losses.append(step())
        torch.cuda.current_stream().wait_stream(side)
        recording = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recording):
            loss = step()

        def replay():
            if losses:  # the steps that were taken before the recording
                return losses.pop(0)
            recording.replay()
            return loss

        return replay

    variants = {"PyTorch": make, "PyTorch fused Adam": lambda batch: make(batch, fused=True)}
    if on_gpu:
        variants["PyTorch CUDA graph"] = graph
    if compiled:
        variants["torch.compile"] = by_compiler
    return variants, torch.cuda.synchronize if on_gpu else lambda: None


_LIBRARIES = {"gpunet": gpunet_variants, "PyTorch": torch_variants}


def _serve(pipe, library: str, device: str, sizes, compiled: bool) -> None:
    """A library's process: answers ("make", variant, batch), ("time", variant, batch, untimed, timed) until None."""
    try:
        variants, synchronize = _LIBRARIES[library](device, sizes, compiled)
        pipe.send(list(variants))
    except Exception as error:
        pipe.send(error if isinstance(error, (RuntimeError, ImportError)) else RuntimeError(repr(error)))
        return
    steps = {}
    while (request := pipe.recv()) is not None:
        try:
            if request[0] == "make":
                step = steps[request[1:]] = variants[request[1]](request[2])
                pipe.send([step().item() for _ in range(_CHECKED)])
                continue
            _, variant, batch, untimed, timed = request
            step = steps[variant, batch]
            for _ in range(untimed):
                step()
            synchronize()
            start = perf_counter()
            for _ in range(timed):
                step()
            synchronize()
            pipe.send((perf_counter() - start) / timed)
        except Exception as error:
            pipe.send(RuntimeError(f"{library} {request[1]}: {type(error).__name__}: {error}"))


class Library:
    """A library in a process of its own."""

    def __init__(self, name: str, device: str, threads: int, sizes=SIZES, compiled: bool = False):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, name, device, sizes, compiled), daemon=True)
        with environment({variable: str(threads) for variable in THREAD_VARIABLES}):
            self.process.start()
        theirs.close()
        self.variants = self._answer()

    def _answer(self):
        try:
            answer = self.pipe.recv()
        except EOFError:
            self.process.join(10)
            raise RuntimeError(f"the library's process ended with status {self.process.exitcode}") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, *request):
        self.pipe.send(request)
        return self._answer()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self.process.join(10)
        self.process.kill()


@contextlib.contextmanager
def environment(variables: dict[str, str]):
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class Contest:
    """What `contest` gives: the competitors and what goes into their Result."""

    name: str
    works: dict[str, Work]
    amounts: dict[str, float]
    errors: dict[str, float]
    notes: list[str]


# ---- the contest ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def contest(device: str, batch: int, *, threads: int, seconds: float = 0.1, sizes=SIZES,
            compiled: bool = False) -> Iterator[Contest]:
    """The variants of a training step, ready to be timed by `told_clock`, while the libraries' processes live.
    `seconds`: how long one timing should take. `compiled`: torch.compile takes part. Raises RuntimeError if the losses
    of the first steps disagree."""
    notes: list[str] = []
    with contextlib.ExitStack() as stack:
        libraries = []
        for name in ("gpunet", *(["PyTorch"] if optional("torch") is not None else [])):
            libraries.append(Library(name, device, threads, sizes, compiled))
            stack.callback(libraries[-1].close)
        losses, works = {}, {}
        for library in libraries:
            for variant in library.variants:
                try:
                    losses[variant] = library.ask("make", variant, batch)
                    one = library.ask("time", variant, batch, 2, 3)
                except RuntimeError as error:
                    if variant.startswith("gpunet"):
                        raise
                    notes.append(str(error).splitlines()[0])
                    losses.pop(variant, None)
                    continue
                steps = max(1, min(1000, round(seconds / one)))
                works[variant] = Work(partial(library.ask, "time", variant, batch, max(1, steps // 5), steps))
        errors = {variant: max(abs(a - b) / abs(b) for a, b in zip(found, losses["gpunet"], strict=True))
                  for variant, found in losses.items()}
        if not max(errors.values()) <= _AGREE:
            raise RuntimeError(f"the losses of the first {_CHECKED} steps differ from gpunet's by more than {_AGREE}: "
                               f"{ {name: f'{value:.1e}' for name, value in errors.items()} }")
        if losses["gpunet compiled"] != losses["gpunet"]:
            raise RuntimeError("gpunet.compile: the losses of replayed steps are not bit-identical to eager ones")
        where = f"{threads} thread{'s' * (threads > 1)}" if device in ("cpu", "sim") else device
        operations = 6 * batch * sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        yield Contest(f"MLP {'-'.join(map(str, sizes))}, batch {batch}, {where}", works, {"operations": operations},
                      errors, notes)


def compare(device: str, batch: int, *, rounds: int = 15, longest: float = float("inf"), **options) -> Result:
    """One row: a step of each variant. The options are those of `contest`."""
    with contest(device, batch, **options) as ready:
        samples = interleave(ready.works, rounds=rounds, clock=told_clock, warm_up=0, seconds=longest)
    return Result("training step", ready.name, samples, ready.amounts, ready.errors, ready.notes)


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    sizes = (64, 32, 10) if options.quick else SIZES
    for batch in (16,) if options.quick else BATCHES:
        emit(asdict(compare(options.device, batch, threads=options.threads, sizes=sizes, compiled=options.compiled,
                            rounds=3 if options.quick else 15, seconds=0.02 if options.quick else 0.1,
                            longest=options.left() / 3)))


def main() -> None:
    from bench.stages import command

    command("training", __doc__)


if __name__ == "__main__":
    main()
