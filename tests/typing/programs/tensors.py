"""What a type checker knows of tensors, their methods and functions."""

from typing import Any, assert_type

import numpy as np

import gpunet
from gpunet import Size, Tensor

x = gpunet.randn(2, 3)
assert_type(x, Tensor)
assert_type(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]], device="cpu", requires_grad=True), Tensor)
assert_type(gpunet.zeros(2, 3, dtype=gpunet.float64), Tensor)

# Operators.
assert_type(x + 1, Tensor)
assert_type(2 * x - x / 3, Tensor)
assert_type(-x, Tensor)
assert_type(x @ x.T, Tensor)
assert_type(x > 0, Tensor)
assert_type(x == x, Tensor)
assert_type(x[0, 1:], Tensor)
x[0] = 1.0
x += 1
assert_type(x, Tensor)

# Properties and what is read on the host.
assert_type(x.shape, Size)
assert_type(x.size(0), int)
assert_type(x.size(), Size)
assert_type(x.ndim, int)
assert_type(x.dtype, gpunet.dtype)
assert_type(x.device, gpunet.device)
assert_type(x.requires_grad, bool)
assert_type(x.grad, Tensor | None)
assert_type(x.sum().item(), int | float | bool)
assert_type(float(x.sum()), float)
assert_type(x.tolist(), Any)
array: np.ndarray = x.numpy()
for row in x:
    assert_type(row, Tensor)

# Methods.
assert_type(x.exp(), Tensor)
assert_type(x.mul(other=x), Tensor)
assert_type(x.pow(exponent=2), Tensor)
assert_type(x.sum(), Tensor)
assert_type(x.reshape(3, 2), Tensor)
assert_type(x.view(6), Tensor)
assert_type(x.relu().mean(0).sqrt(), Tensor)
assert_type(x.clamp(min=0), Tensor)
assert_type(x.to("cpu", gpunet.float64).float(), Tensor)
assert_type(x.type(), str)
assert_type(x.detach().clone(), Tensor)
assert_type(x.add_(1).mul_(other=2), Tensor)
assert_type(x.matmul(x.transpose(0, 1)), Tensor)
assert_type(x.argmax(1), Tensor)
assert_type(x.backward(), None)
handle = x.register_hook(lambda gradient: gradient * 2)
handle.remove()

# Functions.
assert_type(gpunet.exp(x), Tensor)
assert_type(gpunet.mul(input=x, other=x), Tensor)
assert_type(gpunet.matmul(x, x.T), Tensor)
assert_type(gpunet.where(x > 0, x, 0.0), Tensor)
assert_type(gpunet.sqrt(x, out=gpunet.empty(2, 3)), Tensor)
assert_type(gpunet.cat([x, x], dim=1), Tensor)
assert_type(gpunet.linalg.inv(x @ x.T), Tensor)
assert_type(gpunet.linalg.svd(x).S, Tensor)
