"""A small network learns to read handwritten digits: the training loop written out, as PyTorch users write it.

    python examples/mlp.py --device cpu      (or cuda; or sim: the CUDA kernels without a GPU)
"""

import argparse

import gpunet
from gpunet import nn, optim
from gpunet.data import DataLoader
from gpunet.data.datasets import Digits
from gpunet.data.transforms import ToTensor

parser = argparse.ArgumentParser()
parser.add_argument("--device", default="cpu")
parser.add_argument("--epochs", type=int, default=20)
args = parser.parse_args()

gpunet.manual_seed(0)
train = DataLoader(Digits(train=True, transform=ToTensor()), batch_size=64, shuffle=True)
test = DataLoader(Digits(train=False, transform=ToTensor()), batch_size=512)

model = nn.Sequential(
    nn.Flatten(),
    nn.Linear(64, 128),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(128, 10),
).to(args.device)
loss_fn = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(1, args.epochs + 1):
    model.train()
    total = 0.0
    for images, labels in train:
        images, labels = images.to(args.device), labels.to(args.device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)

    model.eval()
    right = 0
    with gpunet.no_grad():
        for images, labels in test:
            guesses = model(images.to(args.device)).argmax(dim=1)
            right += (guesses == labels.to(args.device)).sum().item()
    print(f"epoch {epoch:2}  loss {total / len(train.dataset):.4f}  test accuracy {right / len(test.dataset):.4f}")
