"""Layers on images in channels last: on a GPU the format stays, forward and backward, eager and recorded."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.ops.channels_last import is_channels_last


def last(x):
    return x.detach().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


class Net(nn.Module):
    def __init__(self, seen):
        super().__init__()
        self.norm, self.other, self.linear = nn.BatchNorm2d(8), nn.BatchNorm2d(8), nn.Linear(8, 5)
        self.seen = seen

    def forward(self, x):
        steps = [self.norm, F.relu, lambda x: F.max_pool2d(x, 3, 2, 1), self.other,
                 lambda x: F.adaptive_avg_pool2d(x, (4, 3)), lambda x: F.avg_pool2d(x, 2, 1)]
        for step in steps:
            x = step(x)
            self.seen.append(x)
            if x.requires_grad:
                x.register_hook(self.seen.append)
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.mark.parametrize("training", [True, False])
def test_the_format_stays(gpu, training):
    """With the values of the CPU; of the gradients also that by the image."""
    gpunet.manual_seed(0)
    values, results = gpunet.randn(3, 8, 13, 11) + 1, []
    first = Net([]).state_dict()
    for device in ("cpu", gpu):
        seen = []
        net = Net(seen).train(training).to(device)
        net.load_state_dict(first)
        x = last(values.to(device)).requires_grad_()
        y = net(x)
        F.cross_entropy(y, gpunet.tensor([0, 3, 4], device=device)).backward()
        results.append([y, x.grad, *[p.grad for p in net.parameters()], *net.buffers()])
    for ours, right in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(ours.detach().cpu().numpy(), right.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert len(seen) == 12 and all(is_channels_last(each._array) for each in (*seen, x.grad))


def test_a_recording_has_the_same_bits(gpu):
    net = Net([]).to(gpu)
    net.seen = type("Nothing", (), {"append": staticmethod(lambda _: None)})
    images, target = last(gpunet.randn(3, 8, 13, 11, device=gpu)), gpunet.tensor([0, 3, 4], device=gpu)
    optimizer = gpunet.optim.SGD(net.parameters(), lr=0.0)

    def step(x):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        return loss, [p.grad for p in net.parameters()]

    eager, compiled = step(images), gpunet.compile(step)
    for _ in range(3):
        again = compiled(images)
    assert again[0].item() == eager[0].item()
    for ours, right in zip(again[1], eager[1], strict=True):
        assert ours.tolist() == right.tolist()
