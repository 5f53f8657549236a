"""gpunet's own kernels: each launch that the device sim makes is carried out by both engines, on the same arrays.

They agree bit for bit but where NVRTC's arithmetic is another than the host's: exponentials, whose last bits differ,
and what is computed from them.
"""

import ctypes
import os

import numpy as np
import pytest
from budgets import BUDGETS

import gpunet
from gpunet import nn, ptx, sim
from gpunet.kernel import nvrtc, source
from gpunet.ptx import program, reader

F = nn.functional


def randn(*shape, dtype=gpunet.float32):
    return gpunet.randn(*shape, device="sim").to(dtype=dtype)


def train(dtype):
    """A step: products, bias and ReLU, cross-entropy, column sums, an optimizer."""
    w1, b1, w2 = (randn(*shape, dtype=dtype).requires_grad_() for shape in ((24, 40), (24,), (10, 24)))
    hidden = F.relu(F.linear(randn(50, 40, dtype=dtype), w1, b1))
    F.cross_entropy(F.linear(hidden, w2), gpunet.randint(0, 10, (50,), device="sim")).backward()
    gpunet.optim.Adam([w1, b1, w2], lr=1e-2).step()


def convolve(dtype, *shapes, last=False, **options):
    """last: shapes have the channels last, and so the images have them in memory."""
    x, w, bias = (randn(*shape, dtype=dtype).requires_grad_() for shape in shapes)
    if last:
        x, w = x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2)
    F.conv2d(x, w, bias, **options).sum().backward()


def of_channels(dtype):
    """Norms and pools of images in channels last."""
    x = randn(2, 9, 7, 16, dtype=dtype).permute(0, 3, 1, 2).requires_grad_()
    y = F.batch_norm(x, None, None, randn(16), randn(16), training=True)
    (F.max_pool2d(y, 3, 2, 1).sum() + F.avg_pool2d(y, 2).sum()).backward()


# Programs, and by how much a result may differ, relative to the largest element of its array: 0 is not a bit. A kernel
# with exponentials has another bound.
PROGRAMS = {
    "training": lambda: train(gpunet.float32),
    "elementwise": lambda: [F.gelu(randn(5, 77)), randn(9).to(dtype=gpunet.float16)],
    "reductions": lambda: [F.layer_norm(randn(6, 200), (200,)), F.softmax(randn(7, 300), -1)],
    "convolutions": lambda: [convolve(gpunet.float16, (3, 8, 6, 8), (20, 8, 3, 3), (20,), padding=1),
                             convolve(gpunet.float16, (2, 6, 7, 9), (4, 3, 3, 2), (4,), stride=2, groups=2)],
    "channels last": lambda: [
        convolve(gpunet.float16, (3, 6, 8, 16), (24, 3, 3, 16), (24,), last=True, padding=1),
        convolve(gpunet.float16, (2, 7, 9, 64), (72, 3, 2, 32), (72,), last=True, stride=2, groups=2)],
    "norms and pools of channels": lambda: [of_channels(gpunet.float32), of_channels(gpunet.float16)],
    "tensor cores": lambda: randn(70, 64, dtype=gpunet.float16) @ randn(64, 72, dtype=gpunet.float16),
}
EXPONENTIALS = ("softmax", "unary<float,float,Gelu", "normal", "nll")


@pytest.fixture
def differences(monkeypatch, compiler):
    """Carries out each launch twice; kernel -> the largest difference."""
    found, simulate, functions = {}, sim.Function.__call__, {}

    def bytes_of(array):
        return np.ctypeslib.as_array((ctypes.c_uint8 * array.nbytes).from_address(array._address))

    def both(self, grid, block, args, shared_mem=0, stream=None):
        arrays = [each for each in args if hasattr(each, "_address") and each.nbytes]
        before = [bytes_of(each).copy() for each in arrays]
        simulate(self, grid, block, args, shared_mem)
        want = [bytes_of(each).copy() for each in arrays]
        for array, old in zip(arrays, before, strict=True):
            bytes_of(array)[:] = old
        key = self.file, self.name
        if key not in functions:
            options = tuple(each for each in self.module.options if not each.startswith("-I"))
            functions[key] = ptx.load(self.file, self.name, options)
            functions[key].max_dynamic_shared_size_bytes = self.max_dynamic_shared_size_bytes
        functions[key](tuple(grid), tuple(block), args, shared_mem)
        worst = 0.0
        for array, bits in zip(arrays, want, strict=True):
            got, expected = bytes_of(array).view(array.dtype), bits.view(array.dtype)
            if (bits == bytes_of(array)).all():
                continue
            if array.dtype.kind not in "fV":
                worst = np.inf
                continue
            a, b = got.astype(np.float64), expected.astype(np.float64)
            worst = max(worst, float(np.nanmax(np.abs(a - b)) / max(np.nanmax(np.abs(b)), 1e-30)))
            bytes_of(array)[:] = bits
        found[self.name] = max(found.get(self.name, 0.0), worst)

    monkeypatch.setattr(sim.Function, "__call__", both)
    return found


SLOW = ("training", "convolutions", "channels last", "tensor cores", "reductions")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
                                  for name in PROGRAMS])
def test_both_engines_agree(name, differences):
    gpunet.manual_seed(0)
    PROGRAMS[name]()
    assert differences
    bounds = {kernel: 3e-7 if kernel.startswith(EXPONENTIALS) else 0.0 for kernel in differences}
    assert not {kernel: worst for kernel, worst in differences.items() if worst > bounds[kernel]}


@pytest.mark.slow
@pytest.mark.parametrize("tile_n, blocks, parts, ta, tb, kind", [
    (128, 1, 1, False, False, "bfloat16"), (256, 2, 1, False, True, "bfloat16"), (256, 2, 1, True, False, "bfloat16"),
    (256, 2, 3, True, False, "bfloat16"), (128, 1, 1, False, True, "float32"), (256, 2, 3, False, True, "float32"),
    (256, 2, 1, False, True, "float32"), (128, 1, 1, False, False, "float32"), (256, 2, 1, False, False, "float32")])
def test_products_by_wgmma(compiler, tile_n, blocks, parts, ta, tb, kind):
    """Compiled for Hopper, by blocks and by pairs of them: rings that are filled more than once, several tiles, tiles
    of a pair of which one is outside, parts of k, and sums with what is there."""
    from gpunet.devices.cuda import CudaDevice
    from gpunet.ops.epilogue import SILU
    from gpunet.ops.matmul_hopper import HOPPER, launch_hopper, turned
    from gpunet.ops.matmul_launch import Product, operand

    xp, kind = sim.cupy, np.dtype(kind)
    tolerance = 1e-3 if kind == np.float32 else 1e-2
    device = CudaDevice(gpunet.device("sim"), xp, lambda *what: ptx.Function(*what, "sm_90a"), sm_count=4,
                        capability=HOPPER)
    rng = np.random.default_rng(0)
    for m, n, k in [(696, 304, 520), (120, 40, 72)]:
        a, b, bias, onto = (rng.standard_normal(shape).astype(kind) for shape in (
            (k, m) if ta else (m, k), (n, k) if tb else (k, n), (n,), (m, n)))
        out, kept = (device.empty((m, n), kind) for _ in range(2))
        for each in (out, kept):
            each.fill(77)
        left, right = operand(device, xp.asarray(a), ta), operand(device, xp.asarray(b), tb)
        product = Product(out, left, right, m, n, k, bias=xp.asarray(bias), onto=xp.asarray(onto), activation=SILU,
                          kept=kept)
        launch_hopper(device, product if kind != np.float32 or tb else turned(product), tile_n, blocks, parts)
        a, b, bias, onto = (each.astype(float) for each in (a.T if ta else a, b.T if tb else b, bias, onto))
        want = a @ b + bias + onto
        for found, exact in ((kept, want), (out, want / (1 + np.exp(-want)))):
            np.testing.assert_allclose(found.get().astype(float), exact, rtol=tolerance,
                                       atol=tolerance * np.abs(want).max())


@pytest.mark.parametrize("m, n", [(65, 67), pytest.param(130, 260, marks=pytest.mark.slow)])
def test_products_two_at_once(compiler, monkeypatch, m, n):
    """FFMA2 on GPUs that have it: the bits of products one at a time, in the medium and the wide tile."""
    from gpunet.devices.cuda import CudaDevice
    from gpunet.ops import matmul_launch
    from gpunet.ops.matmul import matmul_op

    monkeypatch.setattr(matmul_launch, "wide_pays", lambda cuda, x: n > 256)
    rng, results = np.random.default_rng(0), []
    a, b = rng.standard_normal((m, 40), np.float32), rng.standard_normal((40, n), np.float32)
    for architecture, instruction in (("sm_100", "fma.rn.f32x2"), ("sm_90", "fma.rn.f32 ")):
        functions = []

        def load(*what, architecture=architecture, functions=functions):
            functions.append(ptx.Function(*what, architecture))
            return functions[-1]

        device = CudaDevice(gpunet.device("sim"), sim.cupy, load, sm_count=3, capability=90)
        out = device.empty((m, n), np.float32)
        matmul_op.op.launch(device, out, sim.cupy.asarray(a), sim.cupy.asarray(b), ta=False, tb=False)
        results.append(out.get())
        assert instruction in functions[0].kernel.text
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0], a.astype(float) @ b, rtol=1e-5, atol=1e-5)


def test_an_unknown_engine_is_refused(monkeypatch):
    from gpunet.devices import sim as device

    monkeypatch.setenv("GPUNET_SIM", "cuda")
    with pytest.raises(sim.SettingError, match="GPUNET_SIM is 'cuda'; it is auto, cxx or ptx"):
        device.open_sim(None)


def test_without_llvmlite_the_error_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    program._llvm.cache_clear()
    try:
        with pytest.raises(ptx.MissingError, match=r"pip install 'gpunet\[sim\]'"):
            ptx.Kernel(".version 8.0\n.target sm_80\n.visible .entry f() { ret; }")((1,), (1,), ())
    finally:
        program._llvm.cache_clear()


@pytest.mark.skipif(os.environ.get("GPUNET_TEST_ARCHITECTURES") != "all",
                    reason="minutes; GPUNET_TEST_ARCHITECTURES=all")
@pytest.mark.parametrize("file, options", BUDGETS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_instance_is_understood(file, options, compiler):
    expressions = tuple(each for group, _ in BUDGETS[file, options] for each in group)
    of_sm_90 = "hopper" in file or "cluster" in file
    text, symbols = nvrtc.ptx(source.read(file), "sm_90a" if of_sm_90 else "sm_80", expressions, options)
    module = reader.read(text)
    for symbol in symbols.values():
        binding = program._llvm()
        binding.parse_assembly(program._lowered(module, symbol, True, True)[1]).verify()
