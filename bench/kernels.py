"""The cases that our kernels are measured by: contests of gpunet.benchmark and more of our own, with their sizes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import gpunet
from bench.convolutions import convolutions
from gpunet.benchmark.contest import Case, Contest, WrongResult, check, measure
from gpunet.benchmark.kernels import (
    MATRICES,
    bias_relus,
    compiled_works,
    copies,
    matmuls,
    size_for,
    softmax_ces,
    worse,
)
from gpunet.benchmark.lab import Lab, relative_error
from gpunet.dtypes import BFLOAT16_NP, FLOAT32_NP
from gpunet.ops import matmul_hopper
from gpunet.ops.linear import bias_relu_grad, linear_relu
from gpunet.ops.matmul import matmul_op
from gpunet.ops.optim import adam_step

__all__ = ["Case", "WrongResult", "cases", "check", "measure"]

_LAYERS = {"gpu": [(512, 256, 784), (4096, 4096, 4096)], "cpu": [(512, 256, 784)], "tiny": [(16, 24, 40)]}
# Products in bfloat16: sizes, and whether each operand is transposed.
_HALF = {"gpu": [*((n, n, n, ta, tb) for n in (4096, 8192) for ta in (False, True) for tb in (False, True)),
                 (1024, 1024, 4096, False, True), (8192, 3072, 768, False, True), (8192, 768, 3072, False, True),
                 (768, 3072, 8192, True, False)],
         "cpu": [], "tiny": [(64, 48, 40, False, True)]}
# In TF32: forward and by the input.
_TF32 = {"gpu": [(n, n, n, False, tb) for n in (4096, 8192) for tb in (True, False)] + [(8192, 3072, 768, False, True)],
         "cpu": [], "tiny": [(64, 48, 40, False, True)]}
_PARAMETERS = {"gpu": 1 << 26, "cpu": 1 << 22, "tiny": 1000}


def cases(device: str, quick: bool = False) -> Iterator[Case]:
    """All cases for a device: large on a GPU, moderate on the CPU, tiny on the simulator or when `quick`."""
    size = size_for(device, quick)
    yield from matmuls(size)  # the limits first: the other rows are held against them
    yield from tensor_products(size)
    yield from copies(size)
    for m, n, k in _LAYERS[size]:
        yield Case("linear_relu", f"{m}x{n}x{k}", lambda lab, a=(m, n, k): layer(lab, *a))
    yield from bias_relus(size)
    for rows, columns in MATRICES[size]:
        yield Case("bias_relu backward", f"{rows}x{columns}", lambda lab, a=(rows, columns): backward(lab, *a))
    yield from softmax_ces(size)
    yield from convolutions(size)
    yield Case("adam", f"{_PARAMETERS[size]} parameters", lambda lab: adam(lab, _PARAMETERS[size]))


def tensor_products(size: str) -> Iterator[Case]:
    """Matrix products in bfloat16 and in TF32."""
    for kind, shapes in (("bfloat16", _HALF[size]), ("tf32", _TF32[size])):
        for m, n, k, ta, tb in shapes:
            yield Case(f"matmul {kind}", f"{m}x{n}x{k} {'NT'[ta]}{'NT'[tb]}",
                       lambda lab, a=(kind, m, n, k, ta, tb): tensor_product(lab, *a))


def tensor_product(lab: Lab, kind: str, m: int, n: int, k: int, ta: bool, tb: bool) -> Contest:
    """Ours, on Hopper also without clusters and by mma.sync alone, and PyTorch's (cuBLAS)."""
    in_tf32 = kind == "tf32"
    dtype = FLOAT32_NP if in_tf32 else BFLOAT16_NP
    size, operations = dtype.itemsize * (m * k + k * n + m * n), 2 * m * n * k
    sets = lab.sets(size)
    shapes = ((k, m) if ta else (m, k)), ((n, k) if tb else (k, n))
    inputs = [[lab.random(*shape).astype(dtype) for shape in shapes] for _ in range(sets)]
    outs = [lab.empty(m, n, dtype=dtype.name) for _ in range(sets)]
    calls = lab.calls(sets, operations, size)
    whole = [((outs[i % sets],), list(inputs[i % sets])) for i in range(calls)]
    with _in_tf32(lab) if in_tf32 else contextlib.nullcontext():
        works = {"gpunet": lab.ours(matmul_op, whole, {"ta": ta, "tb": tb})}
        if getattr(lab.device, "capability", None) == matmul_hopper.HOPPER:
            others = [lab.empty(m, n, dtype=dtype.name) for _ in range(sets)]
            into_others = [((others[i % sets],), arrays) for i, (_, arrays) in enumerate(whole)]
            for name, blocks in (("gpunet without clusters", 1), ("gpunet mma.sync", 0)):
                with matmul_hopper.limited(blocks):
                    works[name] = lab.ours(matmul_op, into_others, {"ta": ta, "tb": tb})
        if lab.torch is not None:
            def to_torch(x):  # libraries do not exchange bfloat16
                return lab.to_torch(x) if in_tf32 else lab.to_torch(x.view("int16")).view(lab.torch.bfloat16)

            theirs = [[to_torch(x) for x in pair] for pair in inputs]
            theirs = [(a.T if ta else a, b.T if tb else b, to_torch(lab.empty(m, n, dtype=dtype.name)))
                      for a, b in theirs]

            def product(i: int) -> None:
                a, b, out = theirs[i]
                lab.torch.matmul(a, b, out=out)

            works["PyTorch"] = lab.torch_graph(lab.turns(product, sets, calls), "PyTorch matmul")
    a, b = inputs[0]

    def error() -> float:
        rows = slice(0, m, max(1, m // 16))
        left, right = (a.T if ta else a)[rows].astype("float64"), (b.T if tb else b).astype("float64")
        unwritten = math.nan if bool(lab.xp.isnan(outs[0].astype("float32")).any()) else 0.0
        return worse(unwritten, relative_error(lab, outs[0][rows], lab.xp.matmul(left, right)))

    return Contest(works, {"tf32_operations" if in_tf32 else "half_operations": operations, "bytes": size}, error,
                   tolerance=1e-3 if in_tf32 else 4e-3)


@contextlib.contextmanager
def _in_tf32(lab: Lab) -> Iterator[None]:
    """float32 products are computed in TF32, also PyTorch's."""
    before = gpunet.get_float32_matmul_precision()
    theirs = lab.torch.backends.cuda.matmul if lab.torch is not None else None
    gpunet.set_float32_matmul_precision("high")
    if theirs is not None:
        theirs.allow_tf32 = True
    try:
        yield
    finally:
        gpunet.set_float32_matmul_precision(before)
        if theirs is not None:
            theirs.allow_tf32 = False


def layer(lab: Lab, m: int, n: int, k: int) -> Contest:
    """max(x W^T + b, 0): ours in one kernel, against our own plain product and against PyTorch."""
    size, operations = 4 * (m * k + k * n + n + m * n), 2 * m * n * k
    sets = lab.sets(size)
    inputs = [(lab.random(m, k), lab.random(n, k), lab.random(n)) for _ in range(sets)]
    outs = [lab.empty(m, n) for _ in range(sets)]
    calls = lab.calls(sets, operations, size)
    whole = [((outs[i % sets],), list(inputs[i % sets])) for i in range(calls)]
    product = [(out, arrays[:2]) for out, arrays in whole]
    works = {"gpunet": lab.ours(linear_relu, whole, {}),
             "gpunet matmul alone": lab.ours(matmul_op, product, {"ta": False, "tb": True})}
    if lab.torch is not None:
        theirs = [[lab.to_torch(x) for x in group] for group in inputs]
        relu, linear = lab.torch.relu_, lab.torch.nn.functional.linear
        works["PyTorch"] = lab.turns(lambda i: relu(linear(*theirs[i])), sets, calls)
        compiled_works(lab, works, lambda x, w, b: lab.torch.relu(linear(x, w, b)), theirs, calls)
    x, w, b = inputs[0]

    def error():
        reference = lab.xp.matmul(x.astype("float64"), w.T.astype("float64")) + b.astype("float64")
        return relative_error(lab, outs[0], lab.xp.maximum(reference, 0.0))

    return Contest(works, {"operations": operations, "bytes": size}, error)


def backward(lab: Lab, rows: int, columns: int) -> Contest:
    """The gradient through ReLU and its column sums: two reads and one write."""
    size = 12 * rows * columns
    sets = lab.sets(size)
    inputs = [(lab.random(rows, columns), lab.random(rows, columns)) for _ in range(sets)]
    outs = [(lab.empty(rows, columns), lab.empty(columns)) for _ in range(sets)]
    calls = lab.calls(sets, 0, size)
    works = {"gpunet": lab.ours(bias_relu_grad, [(outs[i % sets], list(inputs[i % sets])) for i in range(calls)], {})}
    if lab.type == "cpu":
        def plain(i):
            dx = inputs[i][0] * (inputs[i][1] > 0)
            return dx, dx.sum(0)

        works["NumPy"] = lab.turns(plain, sets, calls)
    if lab.torch is not None:
        def masked(g, y):
            dx = lab.torch.ops.aten.threshold_backward(g, y, 0)
            return dx, dx.sum(0)

        theirs = [[lab.to_torch(x) for x in pair] for pair in inputs]
        results = [lab.to_torch(lab.empty(rows, columns)) for _ in range(sets)]
        into = lab.torch.ops.aten.threshold_backward.grad_input
        works["PyTorch"] = lab.turns(lambda i: into(*theirs[i], 0, grad_input=results[i]).sum(0), sets, calls)
        compiled_works(lab, works, masked, theirs, calls)
    g, y = inputs[0]

    def error():
        dx = g.astype("float64") * (y > 0)
        sums = lab.xp.sum(dx, axis=0)
        wrong = outs[0][1].astype("float64") - sums
        # Sums over random signs cancel: their error is measured by the size of their terms.
        spread = float(lab.xp.sqrt(lab.xp.sum(wrong * wrong))) / math.sqrt(rows * columns)
        return worse(relative_error(lab, outs[0][0], dx), spread)

    return Contest(works, {"bytes": size, "operations": 2 * rows * columns}, error)  # a choice and a sum


def adam(lab: Lab, size: int) -> Contest:
    """One update of one tensor: four reads and three writes of it."""
    parameter, gradient, mean = lab.random(size), lab.random(size), lab.random(size)
    square, nothing = lab.xp.ones(size, "float32"), lab.xp.ones(0, "float32")
    rate, step = lab.xp.full((), 1e-4), lab.xp.full((), 10.0)
    attrs = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "decoupled": False, "maximize": False,
             "count": True}
    calls = lab.calls(1, 0, 28 * size)
    update = (parameter, mean, square, nothing, step), [gradient, rate]
    works = {"gpunet": lab.ours(adam_step, [update] * calls, attrs)}
    works["gpunet"].prepare = None  # its outputs are its inputs
    if lab.torch is not None:
        theirs = lab.torch.nn.Parameter(lab.to_torch(lab.random(size)))
        theirs.grad = lab.to_torch(gradient)
        for name, options in (("PyTorch", {}), ("PyTorch fused", {"fused": True})):
            optimizer = lab.torch.optim.Adam([theirs], lr=1e-4, **options)
            works[name] = lab.turns(lambda i, o=optimizer: o.step(), 1, calls)
    # Two moments (3 and 4), their corrections (2), root, sum, quotient, rate and difference.
    return Contest(works, {"bytes": 28 * size, "operations": 14 * size})
