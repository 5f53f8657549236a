"""A first PyTorch program of which only the imports were changed: a network of three layers reads MNIST.

    python examples/pytorch_mnist.py --data data     (MNIST's files are in this folder)
    python examples/pytorch_mnist.py                 (the digits that come with gpunet, enlarged)
"""

import argparse

import gpunet as torch
from gpunet import nn, optim
from gpunet.data import DataLoader
from gpunet.vision import datasets, transforms

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="the folder with MNIST's files")
parser.add_argument("--device", default="cpu")
parser.add_argument("--quick", action="store_true", help="one epoch")
args = parser.parse_args()

torch.manual_seed(0)
to_tensor = [transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
if args.data:
    train = datasets.MNIST(args.data, train=True, transform=transforms.Compose(to_tensor))
    test = datasets.MNIST(args.data, train=False, transform=transforms.Compose(to_tensor))
else:
    larger = transforms.Compose([transforms.ToPILImage(), transforms.Resize((28, 28)), *to_tensor])
    train, test = datasets.Digits(train=True, transform=larger), datasets.Digits(train=False, transform=larger)
train_loader = DataLoader(train, batch_size=64, shuffle=True)
test_loader = DataLoader(test, batch_size=64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


model = Net().to(args.device)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

for epoch in range(1 if args.quick else 5):
    model.train()
    running_loss = 0.0
    for images, labels in train_loader:
        images, labels = images.to(args.device), labels.to(args.device)
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print(f"epoch {epoch + 1}  loss {running_loss / len(train_loader):.4f}")

model.eval()
correct = total = 0
with torch.no_grad():
    for images, labels in test_loader:
        images, labels = images.to(args.device), labels.to(args.device)
        predicted = model(images).argmax(dim=1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()
print(f"test accuracy {correct / total:.4f}")
