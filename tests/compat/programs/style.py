"""A picture that takes the style of another: Gram matrices of a fixed network's features, the pixels are trained."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def gram_matrix(y):
    (b, ch, h, w) = y.size()
    features = y.view(b, ch, w * h)
    return features.bmm(features.transpose(1, 2)) / (ch * h * w)


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean.clone().detach().view(-1, 1, 1), std.clone().detach().view(-1, 1, 1)

    def forward(self, img):
        return (img - self.mean) / self.std


class Loss(nn.Module):
    """Passes its input on, and keeps the distance from the target."""

    def __init__(self, target, gram):
        super().__init__()
        self.gram, self.loss = gram, None
        self.register_buffer("target", (gram_matrix(target) if gram else target).detach())

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input) if self.gram else input, self.target)
        return input


def build():
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.InstanceNorm2d(6, affine=True),
                         nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True), nn.AvgPool2d(2),
                         nn.ReflectionPad2d(1), nn.Conv2d(8, 8, 3))


def train(model, steps):
    cnn = copy.deepcopy(model).eval()
    for p in cnn.parameters():
        p.requires_grad_(False)
    rng = np.random.RandomState(2)
    content, style = (torch.from_numpy(rng.rand(1, 3, 16, 16).astype("float32")) for _ in range(2))
    chain = nn.Sequential(Normalization(torch.tensor([0.48, 0.46, 0.4]), torch.tensor([0.23, 0.22, 0.225])))
    losses, i = [], 0
    for layer in cnn.children():
        if isinstance(layer, nn.Conv2d):
            i += 1
        if isinstance(layer, nn.ReLU):
            layer = nn.ReLU(inplace=False)
        chain.add_module(f"{type(layer).__name__}_{len(chain)}", layer)
        if isinstance(layer, nn.Conv2d):
            losses.append(Loss(chain(style if i != 2 else content), gram=i != 2))
            chain.add_module(f"loss_{i}", losses[-1])
    image = content.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([image], lr=0.02, eps=1e-5)
    curve = []
    for _ in range(steps):
        def closure():
            with torch.no_grad():
                image.clamp_(0, 1)
            optimizer.zero_grad()
            chain(image)
            loss = sum(x.loss * (1 if x.gram is False else 50) for x in losses)
            loss.backward()
            return loss

        curve.append(float(optimizer.step(closure)))
    return curve
