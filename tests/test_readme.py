"""The README's Python runs as it stands."""

import re
from pathlib import Path

import gpunet
from tests.here import DEVICES

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)

def test_what_is_missing_is_missing():
    """Also where something was added and the README still denies it."""
    from gpunet import distributions, nn, optim

    (paragraph,) = re.findall(r"^What is missing: .*?\n\n", README, re.S | re.M)
    names = re.findall(r"`(\w+)`", paragraph)
    places = {"gpunet": gpunet, "nn": nn, "optim": optim, "distributions": distributions}
    there = [f"{place}.{name}" for name in names for place, module in places.items() if hasattr(module, name)]
    assert len(names) > 20 and not there


CUBE = """
template <typename T>
__global__ void cube(T* y, const T* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] * x[i] * x[i];
}
"""


def test_training_step(device):
    names = {}
    exec(BLOCKS[0].replace('device = "cpu"', f'device = "{device}"'), names)
    images, labels = gpunet.rand(32, 64, device=device), gpunet.randint(10, (32,), device=device)
    losses = [names["step"](images, labels).item() for _ in range(60)]
    assert losses[-1] < losses[0] / 2


def test_trainer():
    names = {}
    exec(BLOCKS[0] + BLOCKS[1], names)
    assert len(names["history"]) == 2 and "val_accuracy" in names["history"][-1]


def test_own_kernel(tmp_path):
    (tmp_path / "cube.cu").write_text(CUBE)
    names = {}
    exec(BLOCKS[2].replace("/path/to/cube.cu", str(tmp_path / "cube.cu")), names)
    for device in DEVICES:
        x = gpunet.rand(1000, device=device, requires_grad=True)
        y = names["cube"](x)
        y.sum().backward()
        assert gpunet.autograd.gradcheck(names["cube"], (gpunet.rand(5, dtype=gpunet.float64, requires_grad=True),))
        assert gpunet.allclose(y, x * x * x, rtol=1e-6, atol=0)
        assert gpunet.allclose(x.grad, 3 * x * x, rtol=1e-6, atol=0)
