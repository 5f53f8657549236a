"""A classifier of small images, with the options and the loops that every first program has."""

import argparse

import numpy as np
import torch
import torch.backends.cudnn as cudnn
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.conv2 = nn.Conv2d(4, 8, kernel_size=3)
        self.dropout = nn.Dropout(0.0)
        self.fc1 = nn.Linear(32, 16)
        self.fc2 = nn.Linear(16, 4)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = x.view(-1, self.num_flat_features(x))
        x = self.dropout(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)

    def num_flat_features(self, x):
        num_features = 1
        for s in x.size()[1:]:
            num_features *= s
        return num_features


def dataset(examples, seed):
    rng = np.random.RandomState(seed)
    target = rng.randint(0, 4, examples)
    images = rng.rand(examples, 1, 14, 14).astype("float32")
    for image, corner in zip(images, target):
        image[0, 7 * (corner // 2):7 * (corner // 2) + 7, 7 * (corner % 2):7 * (corner % 2) + 7] += 1.0
    return TensorDataset(torch.from_numpy(images), torch.from_numpy(target).long())


def train_epoch(log_interval, model, device, train_loader, optimizer, epoch):
    model.train()
    losses = []
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device, non_blocking=True), target.to(device)
        optimizer.zero_grad(set_to_none=True)
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if log_interval and batch_idx % log_interval == 0:
            print("Train Epoch: {} [{}/{}]\tLoss: {:.6f}".format(
                epoch, batch_idx * len(data), len(train_loader.dataset), loss.item()))
    return losses


def test(model, device, test_loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in test_loader:
            output = model(data.to(device))
            test_loss += F.nll_loss(output, target.to(device), reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.to(device).view_as(pred)).sum().item()
    return test_loss / len(test_loader.dataset), correct


def build():
    return Net()


def train(model, steps):
    use_cuda = torch.cuda.is_available()
    device = torch.device("cuda" if use_cuda else "cpu")
    model.to(device)
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    loader = DataLoader(dataset(16 * 3, 1), batch_size=16, **({"pin_memory": True} if use_cuda else {}))
    losses = []
    while len(losses) < steps:
        losses += train_epoch(0, model, device, loader, optimizer, 1)
        losses.append(test(model, device, loader)[0])
        scheduler.step()
    return losses


def main():
    parser = argparse.ArgumentParser(description="a classifier of corners")
    parser.add_argument("--epochs", type=int, default=2, metavar="N")
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--no-cuda", action="store_true", default=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    cudnn.benchmark = True
    if not args.no_cuda and torch.cuda.is_available():
        torch.cuda.manual_seed_all(args.seed)
        device = torch.device("cuda")
    elif torch.backends.mps.is_available():
        device = torch.device("mps")
    else:
        device = torch.device("cpu")
    train_loader = DataLoader(dataset(128, 1), batch_size=16, shuffle=True, num_workers=0, drop_last=True)
    test_loader = DataLoader(dataset(64, 2), batch_size=64)
    model = Net().to(device)
    optimizer = optim.Adadelta(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.9)
    for epoch in range(1, args.epochs + 1):
        train_epoch(args.log_interval, model, device, train_loader, optimizer, epoch)
        loss, correct = test(model, device, test_loader)
        print("Test set: Average loss: {:.4f}, Accuracy: {}/64".format(loss, correct))
        scheduler.step()


if __name__ == "__main__":
    main()
