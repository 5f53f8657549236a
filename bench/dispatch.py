"""Python overhead per op: what a call costs above the bare NumPy call that does its work, on tiny tensors.

    python -m bench.dispatch [--out FILE.json]

Four to six calls of each op are timed in turn: bare NumPy, gpunet, gpunet while it records a gradient, and PyTorch in
the same two ways. The overhead is a difference of medians. `backward` rows are a whole forward and backward pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np

import gpunet
from bench.measure import Result, interleave, repeat
from gpunet.benchmark.lab import optional

CALLS = 200  # in one timing: about a millisecond, so that most timings are not interrupted

# name -> (shapes of the inputs, expression, the bare NumPy calls). `F` is the library's nn.functional.
OPS = {
    "add": ([(4, 4), (4, 4)], "x + y", "np.add(x, y)"),
    "add a number": ([(4, 4)], "x + 2.5", "np.add(x, 2.5)"),
    "add with broadcast": ([(4, 4), (4,)], "x + y", "np.add(x, y)"),
    "mul": ([(4, 4), (4, 4)], "x * y", "np.multiply(x, y)"),
    "exp": ([(4, 4)], "x.exp()", "np.exp(x)"),
    "tanh": ([(4, 4)], "x.tanh()", "np.tanh(x)"),
    "relu": ([(4, 4)], "F.relu(x)", "np.maximum(x, zero)"),
    "sum": ([(4, 4)], "x.sum()", "np.add.reduce(x, (0, 1))"),
    "sum of rows": ([(4, 4)], "x.sum(1)", "np.add.reduce(x, 1)"),
    "mean": ([(4, 4)], "x.mean()", "np.add.reduce(x, (0, 1)) / sixteen"),
    "reshape": ([(4, 4)], "x.reshape(2, 8)", "x.reshape(2, 8)"),
    "transpose": ([(4, 4)], "x.t()", "x.T"),
    "getitem": ([(4, 4)], "x[1]", "x[1]"),
    "getitem slice": ([(4, 4)], "x[1:3]", "x[1:3]"),
    "matmul": ([(4, 4), (4, 4)], "x @ y", "np.matmul(x, y)"),
    "linear": ([(4, 4), (4, 4), (4,)], "F.linear(x, y, z)", "np.add(np.matmul(x, y.T), z)"),
}


def _function(text: str, names: dict) -> Callable:
    return eval(f"lambda: {text}", names)


def competitors(shapes, expression: str, bare: str) -> dict[str, Callable]:
    """The calls to compare for one op."""
    arrays = [np.random.default_rng(i).standard_normal(shape).astype(np.float32) for i, shape in enumerate(shapes)]
    names = dict(zip("xyz", arrays, strict=False))
    scalars = {"np": np, "zero": np.float32(0), "sixteen": np.float32(16)}
    found = {"NumPy": _function(bare, names | scalars)}
    libraries = {"gpunet": (gpunet, gpunet.nn.functional)}
    if (torch := optional("torch")) is not None:
        libraries["PyTorch"] = torch, torch.nn.functional
    for name, (library, functional) in libraries.items():
        for recording in (False, True):
            tensors = {n: library.tensor(a, requires_grad=recording) for n, a in names.items()}
            found[name + (" with gradient" if recording else "")] = _function(expression, tensors | {"F": functional})
    return found


def passes() -> dict[str, dict[str, Callable]]:
    """Whole forward and backward passes: the graph's walk and the gradients' own ops."""
    libraries = {"gpunet": (gpunet, gpunet.nn.functional)}
    if (torch := optional("torch")) is not None:
        libraries["PyTorch"] = torch, torch.nn.functional
    rows: dict[str, dict[str, Callable]] = {"backward of (x * y).sum()": {}, "backward of a linear layer": {}}
    for name, (library, functional) in libraries.items():
        x, y = (library.ones(4, 4, requires_grad=True) for _ in range(2))
        bias = library.ones(4, requires_grad=True)

        def product(x=x, y=y):
            x.grad = y.grad = None
            (x * y).sum().backward()

        def layer(x=x, y=y, bias=bias, functional=functional):
            x.grad = y.grad = bias.grad = None
            functional.linear(x, y, bias).sum().backward()

        rows["backward of (x * y).sum()"][name] = product
        rows["backward of a linear layer"][name] = layer
    return rows


def results(*, rounds: int = 75, calls: int = CALLS, only: str | None = None) -> Iterator[Result]:
    """The rows, measured one by one."""
    warnings.filterwarnings("ignore", module="torch")
    for name, spec in OPS.items():
        if only in (None, name):
            yield _measured("op", name, competitors(*spec), rounds, calls)
    for name, functions in passes().items():
        if only in (None, name):
            yield _measured("pass", name, functions, rounds, max(1, calls // 10))


def _measured(group, name, functions, rounds, calls) -> Result:
    works = {each: repeat(function, calls) for each, function in functions.items()}
    return Result(group, name, interleave(works, rounds=rounds))


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    for result in results(rounds=5 if options.quick else 75, calls=50 if options.quick else CALLS):
        emit(asdict(result))


def main() -> None:
    from bench.stages import command

    command("dispatch", __doc__)


if __name__ == "__main__":
    main()
