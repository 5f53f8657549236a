"""A variational autoencoder and a critic with a gradient penalty, whose noise comes from NumPy."""

import numpy as np
import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile, record_function


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(30, 12), nn.Linear(12, 3), nn.Linear(12, 3)
        self.fc3, self.fc4 = nn.Linear(3, 12), nn.Linear(12, 30)
        self.critic = nn.Sequential(nn.Linear(30, 12), nn.LeakyReLU(0.2, inplace=True), nn.utils.spectral_norm(
            nn.Linear(12, 12)), nn.Softplus(), nn.Linear(12, 1))

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar, noise):
        std = torch.exp(0.5 * logvar)
        return mu + noise * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x, noise):
        mu, logvar = self.encode(x.view(-1, 30))
        return self.decode(self.reparameterize(mu, logvar, noise)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 30), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def gradient_penalty(critic, real, fake, alpha):
    interpolates = (alpha * real + ((1 - alpha) * fake)).requires_grad_(True)
    scores = critic(interpolates)
    (gradients,) = torch.autograd.grad(outputs=scores, inputs=interpolates, grad_outputs=torch.ones_like(scores),
                                       create_graph=True, retain_graph=True, only_inputs=True)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def build():
    return VAE()


def train(model, steps):
    torch.use_deterministic_algorithms(True)
    rng, losses = np.random.RandomState(0), []
    rows = rng.rand(4, 30)
    loader = torch.utils.data.DataLoader([(row.astype("float32"), i) for i, row in enumerate(np.repeat(rows, 4, 0))],
                                         batch_size=8)
    names = ("fc1", "fc21", "fc22", "fc3", "fc4")
    optimizer = optim.Adam([p for n, p in model.named_parameters() if n.startswith(names)], lr=1e-2)
    optimizer_c = optim.RMSprop(model.critic.parameters(), lr=5e-3, centered=True)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
        while len(losses) < steps:
            for data, _ in loader:
                noise = torch.as_tensor(rng.randn(len(data), 3)).float()
                with record_function("generator"):
                    optimizer.zero_grad()
                    recon, mu, logvar = model(data, noise)
                    loss = loss_function(recon, data, mu, logvar) - model.critic(recon).mean()
                    loss.backward()
                    optimizer.step()
                with record_function("critic"):
                    optimizer_c.zero_grad()
                    fake = model(data, noise)[0].detach()
                    alpha = torch.from_numpy(rng.rand(len(data), 1)).type_as(data)
                    loss_c = model.critic(fake).mean() - model.critic(data).mean()
                    loss_c = loss_c + 10 * gradient_penalty(model.critic, data, fake, alpha)
                    loss_c.backward()
                    optimizer_c.step()
                losses += [loss.item(), loss_c.item()]
    assert {"generator", "critic"} <= {event.key for event in prof.key_averages()}
    assert "critic" in prof.key_averages().table(sort_by="cpu_time_total", row_limit=50)
    torch.use_deterministic_algorithms(False)
    return losses
