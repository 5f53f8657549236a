"""Layers of 8-bit integers on the CPU beside the float32 layers that they stand for, gpunet's and PyTorch's.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m bench.int8 [--out FILE.json]

All four quantize what they are given: the linear layers by the range of each input (`quantize_dynamic`), the
convolutions by the range of an input that they have seen. Both libraries work in one process, in turn, so give them one
thread: two pools would wait actively for work on each other's cores.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

import gpunet
from bench.measure import Result, Work, interleave, repeat
from gpunet import compress
from gpunet.benchmark.lab import optional

LINEAR = [(1, 784, 256), (1, 1024, 1024), (1, 4096, 4096), (16, 1024, 1024), (64, 784, 256), (355, 64, 200),
          (512, 512, 512), (512, 1024, 1024), (355, 50, 10)]  # rows, inputs, outputs

# images, channels, size, window, outputs
CONVOLUTIONS = [(1, 512, 7, 3, 512), (1, 256, 14, 3, 256), (1, 256, 14, 1, 256), (1, 128, 28, 3, 128),
                (16, 256, 14, 3, 256), (1, 64, 56, 3, 64), (1, 3, 112, 7, 64)]


def _of_gpunet(layer, x: np.ndarray) -> dict:
    model = gpunet.nn.Sequential(layer(gpunet.nn)).eval()
    given = gpunet.tensor(x)
    if x.ndim == 2:
        small = compress.quantize_dynamic(model)
    else:
        prepared = compress.prepare(model)
        prepared(given)
        small = compress.convert(prepared)
    return {"gpunet": (gpunet, small, given), "gpunet, float32": (gpunet, model, given)}


def _of_pytorch(torch, layer, x: np.ndarray) -> dict:
    quantization = torch.ao.quantization
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    plain = layer(torch.nn).eval()
    given = torch.tensor(x)
    if x.ndim == 2:
        small = quantization.quantize_dynamic(torch.nn.Sequential(plain))
    else:
        model = torch.nn.Sequential(quantization.QuantStub(), plain, quantization.DeQuantStub()).eval()
        model.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
        prepared = quantization.prepare(model)
        prepared(given)
        small = quantization.convert(prepared)
    return {"PyTorch": (torch, small, given), "PyTorch, float32": (torch, plain, given)}


def works(layer, shape: tuple[int, ...], calls: int) -> dict[str, Work]:
    """The competitors: each calls its layer so many times."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found = _of_gpunet(layer, x)
    if (torch := optional("torch")) is not None:
        with warnings.catch_warnings(action="ignore"):  # that this part of PyTorch moves to another package
            found |= _of_pytorch(torch, layer, x)

    def call(library, model, given):
        def forward():
            with library.no_grad():
                model(given)
        return repeat(forward, calls)

    return {name: call(*each) for name, each in found.items()}


def results(*, rounds: int = 15, quick: bool = False) -> Iterator[Result]:
    """The rows, measured one by one."""
    for rows, inputs, outputs in LINEAR[:1] if quick else LINEAR:
        calls = max(1, 2**24 // (rows * inputs * outputs))
        competitors = works(lambda nn, n=inputs, m=outputs: nn.Linear(n, m), (rows, inputs), 1 if quick else calls)
        yield Result("linear layer, 8-bit integers", f"{rows} x {inputs} x {outputs}",
                     interleave(competitors, rounds=rounds), {"operations": 2.0 * rows * inputs * outputs})
    for images, channels, size, window, outputs in CONVOLUTIONS[-1:] if quick else CONVOLUTIONS:
        def layer(nn, c=channels, m=outputs, k=window):
            return nn.Conv2d(c, m, k, padding=k // 2)

        competitors = works(layer, (images, channels, size, size), 1)
        yield Result("convolution, 8-bit integers",
                     f"{images} x {channels} x {size} x {size}, {window} x {window}, {outputs}",
                     interleave(competitors, rounds=rounds),
                     {"operations": 2.0 * images * size * size * channels * window * window * outputs})


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    for result in results(rounds=3 if options.quick else 15, quick=options.quick):
        emit(asdict(result))


def main() -> None:
    from bench.stages import command

    command("int8", __doc__)


if __name__ == "__main__":
    main()
