"""Descriptors for bulk tensor copies, made by the driver and passed to kernels by value."""

import pytest

import gpunet
from gpunet.kernel.tensor_map import MapRefused, map_of, tensor_map
from gpunet.ops import matmul_hopper
from tests.cuda_host.inside.counting import counted


def operands():
    return [gpunet.zeros(*shape, dtype=gpunet.bfloat16, device="cuda") for shape in ((1024, 512), (2048, 512))]


def test_a_product_by_wgmma_is_one_launch(monkeypatch):
    """Also where views are read in place, and of gradients. Without the kernel it is mma.sync's."""
    monkeypatch.setattr(matmul_hopper._matmul_hopper, "_launchers", {})
    a, b = operands()
    a @ b.t()
    assert matmul_hopper._matmul_hopper.used() == {"matmul_hopper<__nv_bfloat16,false,true,128>"}
    assert counted(lambda: a @ b.t())["launches"] == 1
    assert counted(lambda: b @ a.t())["launches"] == 1
    with matmul_hopper.limited(0):
        assert counted(lambda: a @ b.t())["launches"] == 1
    assert len(matmul_hopper._matmul_hopper.used()) == 1


def test_products_in_tf32(monkeypatch):
    """Forward and by the input; by the weight it is mma.sync's."""
    monkeypatch.setattr(matmul_hopper._matmul_hopper, "_launchers", {})
    x, weight = (gpunet.zeros(*shape, device="cuda") for shape in ((1024, 512), (1024, 512)))
    g = gpunet.zeros(2048, 1024, device="cuda")
    gpunet.set_float32_matmul_precision("high")
    try:
        for product in (lambda: x @ weight.t(), lambda: g @ x, lambda: g.t() @ g):
            product()
            assert counted(product)["launches"] == 1
    finally:
        gpunet.set_float32_matmul_precision("highest")
    assert matmul_hopper._matmul_hopper.used() == {f"matmul_hopper<float,{turned},true,128>"
                                                   for turned in ("false", "true")}


def test_it_is_captured():
    a, b = operands()
    compiled = gpunet.compile(lambda x: x @ b.t())
    compiled(a)
    compiled(a)
    assert counted(lambda: compiled(a))["graphs"] == 1


def test_what_the_driver_refuses_goes_to_mma_sync(monkeypatch):
    def refused(*_):
        raise MapRefused

    a, b = operands()
    monkeypatch.setattr(matmul_hopper, "map_of", refused)
    assert counted(lambda: a @ b.t())["launches"] == 1


def test_the_driver_refuses_in_words():
    x = gpunet.zeros(64, 72, device="cuda")._array
    assert tensor_map(x, (16, 32), 128).nbytes == map_of(x, (72, 64), (288,), (32, 16), 128).nbytes == 128
    for steps, box, swizzle in (((284,), (32, 16), 128), ((288,), (64, 16), 128), ((288,), (32, 257), 0),
                                ((288,), (3, 16), 0)):
        with pytest.raises(MapRefused, match=r"the driver refuses box .* float32 array of sizes \(64, 72\)"):
            map_of(x, (72, 64), steps, box, swizzle)
