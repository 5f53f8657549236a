"""The contests of gpunet's kernels: for each, the competitors on a `Lab`, the least work of a call, and the sizes.

The sizes are large on a GPU ("gpu"), moderate on the CPU ("cpu"), and tiny on the simulator or to see that it works.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from gpunet.benchmark.contest import Case, Contest
from gpunet.benchmark.lab import Lab, relative_error
from gpunet.benchmark.measure import Work
from gpunet.ops.cross_entropy import softmax_ce
from gpunet.ops.linear import bias_relu
from gpunet.ops.matmul import matmul_op

_MIB = 1 << 20
_COPY = {"gpu": 512 * _MIB, "cpu": 64 * _MIB, "tiny": 4096}
_MATMULS = {
    "gpu": [*((n, n, n) for n in (512, 1024, 2048, 4096, 8192)), (65536, 256, 1024), (256, 65536, 1024),
            (128, 128, 65536), (1023, 2049, 777), (4099, 4097, 4101)],
    "cpu": [*((n, n, n) for n in (512, 1024, 2048)), (16384, 64, 256), (64, 16384, 256), (255, 1023, 777)],
    "tiny": [(64, 64, 64), (33, 65, 17)],
}
MATRICES = {"gpu": [(65536, 256), (16384, 4096), (16384, 4099)], "cpu": [(65536, 256), (4096, 4096)],
            "tiny": [(64, 36)]}
_LOGITS = {"gpu": 1 << 26, "cpu": 1 << 22, "tiny": 4096}  # elements
_CLASSES = {"gpu": [10, 1000, 4096, 32768, 131072], "cpu": [10, 1000, 4096, 32768, 131072], "tiny": [10, 1000]}


def size_for(device: str, tiny: bool = False) -> str:
    """Which of the sizes suits a device."""
    return "tiny" if tiny or device == "sim" else "gpu" if device.startswith("cuda") else "cpu"


def copies(size: str) -> Iterator[Case]:
    """A copy in the device's memory."""
    count = _COPY[size]
    yield Case("copy", f"{count // _MIB} MiB" if count >= _MIB else f"{count} B", lambda lab: copy_contest(lab, count))


def matmuls(size: str) -> Iterator[Case]:
    """Matrix products, each with both operands as they are or transposed."""
    for m, n, k in _MATMULS[size]:
        for ta in (False, True):
            for tb in (False, True):
                yield Case("matmul", f"{m}x{n}x{k} {'NT'[ta]}{'NT'[tb]}",
                           lambda lab, a=(m, n, k, ta, tb): matmul_contest(lab, *a))


def bias_relus(size: str) -> Iterator[Case]:
    """max(x + b, 0) over matrices of several sizes."""
    for rows, columns in MATRICES[size]:
        yield Case("bias_relu", f"{rows}x{columns}", lambda lab, a=(rows, columns): bias_relu_contest(lab, *a))


def softmax_ces(size: str) -> Iterator[Case]:
    """Cross-entropy over batches with several numbers of classes."""
    for classes in _CLASSES[size]:
        rows = max(1, _LOGITS[size] // classes)
        yield Case("softmax_ce", f"{rows}x{classes}", lambda lab, a=(rows, classes): softmax_ce_contest(lab, *a))


# What `gpunet kernel bench` knows by name.
KERNELS = {"matmul": matmuls, "bias_relu": bias_relus, "softmax_ce": softmax_ces}


def limits(size: str) -> Iterator[Case]:
    """What a kernel's figures are held against: the copy, and a large product."""
    yield from copies(size)
    n = max(m for m, n, k in _MATMULS[size] if m == n == k and m <= 4096)
    yield Case("matmul", f"{n}x{n}x{n} NN", lambda lab: matmul_contest(lab, n, n, n, False, False))


# ---- contests --------------------------------------------------------------------------------------------------------


def copy_contest(lab: Lab, size: int) -> Contest:
    """The device's copy rate: the limit of every kernel that moves memory and computes little."""
    x, out = lab.random(size // 4), lab.empty(size // 4)
    calls = lab.calls(1, 0, 2 * size)
    works = {lab.library: lab.turns(lambda i: lab.xp.copyto(out, x), 1, calls, lab.poison([out]))}
    if lab.torch is not None:
        source, target = lab.to_torch(x), lab.to_torch(out)
        works["PyTorch"] = lab.turns(lambda i: target.copy_(source), 1, calls)
    return Contest(works, {"bytes": 2 * size})


def matmul_contest(lab: Lab, m: int, n: int, k: int, ta: bool, tb: bool) -> Contest:
    """Products of float32 matrices: ours, the array library's (cuBLAS, through CuPy), PyTorch's, Triton's."""
    size, operations = 4 * (m * k + k * n + m * n), 2 * m * n * k
    sets = lab.sets(size)
    inputs = [(lab.random(*((k, m) if ta else (m, k))), lab.random(*((n, k) if tb else (k, n)))) for _ in range(sets)]
    outs = [lab.empty(m, n) for _ in range(sets)]
    calls = lab.calls(sets, operations, size)
    turned = [(a.T if ta else a, b.T if tb else b) for a, b in inputs]
    works = {"gpunet": lab.ours(matmul_op, [((outs[i % sets],), list(inputs[i % sets])) for i in range(calls)],
                                {"ta": ta, "tb": tb})}
    # Every competitor writes into arrays of its own, so that none inherits another's results.
    others = [lab.empty(m, n) for _ in range(sets)]
    if lab.type != "sim":
        name = "NumPy" if lab.type == "cpu" else "CuPy (cuBLAS)"
        works[name] = lab.turns(lambda i: lab.xp.matmul(*turned[i], out=others[i]), sets, calls, lab.poison(others))
        if lab.on_gpu and operations < 1e10:
            lab.notes.append(f"{name}: called from Python, which takes longer than so small a product; the others are "
                             "CUDA graphs")
    if lab.torch is not None:
        theirs = [[lab.to_torch(x) for x in pair] for pair in inputs]
        theirs = [(a.T if ta else a, b.T if tb else b, lab.to_torch(out))
                  for (a, b), out in zip(theirs, others, strict=True)]

        def product(i: int) -> None:
            a, b, out = theirs[i]
            lab.torch.matmul(a, b, out=out)

        works["PyTorch"] = lab.torch_graph(lab.turns(product, sets, calls, lab.poison(others)), "PyTorch matmul")
        if lab.triton is not None:
            def triton_product(i: int) -> None:
                a, b, out = theirs[i]
                lab.triton.matmul(a, b, out)

            triton_product(0)  # compiled before the graph is captured
            several = lab.turns(triton_product, sets, calls, lab.poison(others))
            works["Triton"] = lab.torch_graph(several, "Triton matmul")

    def error() -> float:
        # A few rows spread over the result, and that no element is left unwritten.
        rows = sorted({min(m - 1, i * max(1, m // 16) + i) for i in range(16)})
        worst = 0.0
        for (a, b), out in zip(turned[:2], outs[:2], strict=True):
            reference = lab.xp.matmul(_take(lab, a, rows).astype("float64"), b.astype("float64"))
            worst = worse(worst, relative_error(lab, _take(lab, out, rows), reference))
            worst = worse(worst, math.nan if bool(lab.xp.isnan(out).any()) else 0.0)
        return worst

    return Contest(works, {"operations": operations, "bytes": size}, error)


def _take(lab: Lab, x: Any, rows: list[int]) -> Any:
    return lab.xp.stack([x[row] for row in rows])


def worse(a: float, b: float) -> float:
    """The larger error; NaN is the largest."""
    return b if math.isnan(b) else max(a, b)


def compiled_works(lab: Lab, works: dict[str, Work], function: Callable[..., Any], inputs: list[Any],
                   calls: int) -> None:
    """A function of PyTorch's as torch.compile makes it, over sets of inputs."""
    if lab.compiled:
        take_part(lab, works, lab.torch.compile(function, dynamic=False), inputs, calls)


def take_part(lab: Lab, works: dict[str, Work], fused: Callable[..., Any], inputs: list[Any], calls: int) -> None:
    """The compiled function joins the works; or what its compiler complained of, the notes."""
    try:
        fused(*inputs[0])
    except Exception as error:  # whatever its compiler may raise: it takes no part then
        lab.notes.append(f"torch.compile: {(str(error).splitlines() or [type(error).__name__])[0]}")
        return
    works["torch.compile"] = lab.turns(lambda i: fused(*inputs[i]), len(inputs), calls)


def bias_relu_contest(lab: Lab, rows: int, columns: int) -> Contest:
    """max(x + b, 0): one read and one write."""
    size = 8 * rows * columns
    sets = lab.sets(size)
    inputs = [(lab.random(rows, columns), lab.random(columns)) for _ in range(sets)]
    outs = [lab.empty(rows, columns) for _ in range(sets)]
    calls = lab.calls(sets, 0, size)
    works = {"gpunet": lab.ours(bias_relu, [((outs[i % sets],), list(inputs[i % sets])) for i in range(calls)], {})}
    if lab.type == "cpu":
        works["NumPy"] = lab.turns(lambda i: lab.xp.maximum(inputs[i][0] + inputs[i][1], 0), sets, calls)
    if lab.torch is not None:
        theirs = [[lab.to_torch(x) for x in pair] for pair in inputs]
        results = [lab.to_torch(lab.empty(rows, columns)) for _ in range(sets)]
        # Eager PyTorch fills arrays that are there already, as we do: on the CPU new memory costs more than the work.
        works["PyTorch"] = lab.turns(lambda i: lab.torch.add(*theirs[i], out=results[i]).relu_(), sets, calls)
        compiled_works(lab, works, lambda x, b: lab.torch.relu(x + b), theirs, calls)
        if lab.triton is not None:
            works["Triton"] = lab.turns(lambda i: lab.triton.bias_relu(*theirs[i], results[i]), sets, calls)
    x, b = inputs[0]
    return Contest(works, {"bytes": size, "operations": 2 * rows * columns},
                   lambda: relative_error(lab, outs[0], lab.xp.maximum(x.astype("float64") + b.astype("float64"), 0.0)))


def softmax_ce_contest(lab: Lab, rows: int, classes: int) -> Contest:
    """The mean loss and its gradient with respect to the logits: one read and one write of the logits."""
    size = rows * (8 * classes + 8)
    sets = lab.sets(size)
    inputs = [(lab.random(rows, classes), lab.integers(classes, rows)) for _ in range(sets)]
    outs = [(lab.empty(), lab.empty(rows, classes)) for _ in range(sets)]
    calls = lab.calls(sets, 0, size)
    attrs = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean", "with_gradient": True}
    works = {"gpunet": lab.ours(softmax_ce, [(outs[i % sets], list(inputs[i % sets])) for i in range(calls)], attrs)}
    if lab.type == "cpu":
        works["NumPy"] = lab.turns(lambda i: _plain_cross_entropy(*inputs[i]), sets, calls)
    if lab.torch is not None:
        torch = lab.torch
        theirs = [[lab.to_torch(x).requires_grad_(), lab.to_torch(target)] for x, target in inputs]

        def both(x: Any, target: Any) -> tuple[Any, ...]:
            loss = torch.nn.functional.cross_entropy(x, target)
            return loss, *torch.autograd.grad(loss, x)

        works["PyTorch"] = lab.turns(lambda i: both(*theirs[i]), sets, calls)
        if lab.compiled:
            loss_of = torch.compile(torch.nn.functional.cross_entropy, dynamic=False)
            take_part(lab, works, lambda x, target: torch.autograd.grad(loss_of(x, target), x), theirs, calls)
        if lab.triton is not None:
            results = [lab.to_torch(dlogits) for _, dlogits in outs]
            losses = torch.empty(rows, device=theirs[0][0].device)
            logits = [x.detach() for x, _ in theirs]
            works["Triton"] = lab.turns(
                lambda i: lab.triton.cross_entropy(logits[i], theirs[i][1], losses, results[i]), sets, calls)

    def error() -> float:
        xp, (x, target), (loss, dlogits) = lab.xp, inputs[0], outs[0]
        worst, total = 0.0, 0.0
        each = max(1, (1 << 24) // classes)  # rows at a time, as the reference takes several times their memory
        for first in range(0, rows, each):
            part = slice(first, min(rows, first + each))
            row, wide = xp.arange(part.stop - first), x[part].astype("float64")
            shifted = wide - xp.max(wide, axis=1, keepdims=True)
            e = xp.exp(shifted)
            sums = xp.sum(e, axis=1, keepdims=True)
            total -= float(xp.sum((shifted - xp.log(sums))[row, target[part]]))
            e /= sums
            e[row, target[part]] -= 1.0
            worst = worse(worst, relative_error(lab, dlogits[part], e / rows))
        return worse(worst, abs(float(loss) - total / rows) / abs(total / rows))

    # A logit: its part in the maximum, difference, exponential, its part in the sum, and the gradient's product.
    return Contest(works, {"bytes": size, "operations": 5 * rows * classes}, error)


def _plain_cross_entropy(x: Any, target: Any) -> tuple[Any, Any]:
    import numpy as np

    shifted = x - x.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    row = np.arange(len(x))
    loss = -(shifted[row, target] - np.log(total[:, 0])).mean()
    e /= total
    e[row, target] -= 1
    e /= len(x)
    return loss, e
