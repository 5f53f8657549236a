"""What a type checker knows of a typical training program."""

from typing import assert_type

import gpunet
import gpunet.nn.functional as F
from gpunet import Tensor, nn, optim
from gpunet.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * 8 * 8, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        return self.head(F.dropout(x, 0.1, self.training))


net = Net()
assert_type(net.conv, nn.Conv2d)
assert_type(net.conv.weight, nn.Parameter)
assert_type(nn.ReLU(), nn.ReLU)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
assert_type(criterion, nn.CrossEntropyLoss)
optimizer = optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
assert_type(optimizer, optim.AdamW)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
loader = DataLoader(TensorDataset(gpunet.randn(20, 1, 8, 8), gpunet.randint(0, 10, (20,))), batch_size=5, shuffle=True)

for images, labels in loader:
    optimizer.zero_grad()
    loss = F.cross_entropy(net(images), labels)
    assert_type(loss, Tensor)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
scheduler.step()


@gpunet.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return (model(images).argmax(1) == labels).float().mean().item()


assert_type(accuracy(net, gpunet.randn(4, 1, 8, 8), gpunet.zeros(4, dtype=gpunet.int64)), float)
with gpunet.no_grad():
    assert_type(F.softmax(net.head(gpunet.randn(2, 256)), dim=1), Tensor)
    assert_type(F.conv2d(gpunet.randn(1, 1, 5, 5), gpunet.randn(2, 1, 3, 3), stride=2, padding="valid"), Tensor)
    assert_type(F.layer_norm(gpunet.randn(2, 3), (3,)), Tensor)
    assert_type(F.linear(gpunet.randn(2, 3), gpunet.randn(4, 3), bias=None), Tensor)
