"""A denoising diffusion model (DDPM): digits out of noise, a little at a time.

Training adds noise to an image, more of it the later the step t, and the network learns to predict that noise.
Sampling starts from noise alone and removes what the network predicts, step by step. A tenth of the training examples
come without their class, so that samples can be guided away from what the network predicts without it (classifier-free
guidance).

    python examples/diffusion.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import batches, digits, run, save, show
from judge import judge

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim

STEPS, ANY = 100, 10  # ANY: the class after the ten digits, for no class


class Denoiser(nn.Module):
    """Predicts the noise in images x [N, 1, 8, 8] at steps t [N], given their classes y [N]."""

    def __init__(self, width=256):
        super().__init__()
        self.times, self.classes = nn.Embedding(STEPS, width), nn.Embedding(11, width)
        self.first, self.last = nn.Linear(64, width), nn.Linear(width, 64)
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(),
                                                  nn.Linear(width, width)) for _ in range(3))

    def forward(self, x, t, y):
        hidden, condition = self.first(x.flatten(1)), self.times(t) + self.classes(y)
        for block in self.blocks:
            hidden = hidden + block(hidden + condition)
        return self.last(hidden).view_as(x)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, _, _ = digits(device)
    betas = gpunet.linspace(1e-3, 0.12, STEPS, device=device)
    alpha_bar = gpunet.cumprod(1 - betas, dim=0)  # how much of the image is left at each step
    model, epochs = Denoiser().to(device), 8 if quick else 120
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(images) // 64))

    @gpunet.compile
    def step(x, y, t, noise):
        optimizer.zero_grad()
        share = alpha_bar[t].view(-1, 1, 1, 1)
        loss = F.mse_loss(model(share.sqrt() * x + (1 - share).sqrt() * noise, t, y), noise)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(epochs):
        for x, y in batches(64, images * 2 - 1, labels):
            y = gpunet.where(gpunet.rand(64, device=device) < 0.1, ANY, y)
            loss = step(x, y, gpunet.randint(0, STEPS, (64,), device=device), gpunet.randn_like(x))
            schedule.step()

    @gpunet.no_grad()
    def sample(y, guidance=1.0):
        """Samples of the classes y, after each step."""
        x, history = gpunet.randn(len(y), 1, 8, 8, device=device), []
        for t in reversed(range(STEPS)):
            at = gpunet.full_like(y, t)
            conditional, unconditional = model(x, at, y), model(x, at, gpunet.full_like(y, ANY))
            noise = conditional + guidance * (conditional - unconditional)
            x = (x - betas[t] / (1 - alpha_bar[t]).sqrt() * noise) / (1 - betas[t]).sqrt()
            if t:
                x = x + betas[t].sqrt() * gpunet.randn_like(x)
            history.append(((x + 1) / 2).clamp(0, 1))
        return history

    classes = gpunet.arange(10, device=device).repeat(10 if quick else 50)
    history = sample(classes)
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.4))
    shown = [0, 20, 40, 55, 65, 75, 80, 85, 90, 99]
    show(axes[0], gpunet.stack([history[t][digit] for digit in range(0, 10, 2) for t in shown]), 10,
         f"From noise to digits, after 1 to {STEPS} steps")
    show(axes[1], history[-1][:50], 10, "Samples of the classes 0 to 9")
    save(figure, out / "diffusion.png", colours=24)
    return {"loss": loss.item()} | judge(history[-1], classes)


if __name__ == "__main__":
    run(main)
