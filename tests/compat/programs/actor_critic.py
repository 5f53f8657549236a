"""A policy with a critic that walks along a line to its end. The noise is NumPy's: the same in each library."""

from collections import namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical, Normal
from torch.distributions.kl import kl_divergence

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(2, 16)
        self.action_head = nn.Linear(16, 2)
        self.value_head = nn.Linear(16, 1)
        self.log_std = nn.Parameter(torch.zeros(1))
        self.saved_actions, self.rewards = [], []

    def forward(self, x):
        x = torch.tanh(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def select_action(model, state, noise):
    state = torch.from_numpy(state).float()
    probs, state_value = model(state)
    m = Categorical(probs)
    action = torch.tensor(int(noise > probs[0].item()))
    model.saved_actions.append(SavedAction(m.log_prob(action), state_value))
    return action.item(), m.entropy()


def finish_episode(model, optimizer, entropies, gamma=0.9):
    R, returns = 0, []
    for r in model.rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + np.finfo(np.float32).eps.item())
    policy_losses, value_losses = [], []
    for (log_prob, value), R in zip(model.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    spread = kl_divergence(Normal(torch.zeros(1), model.log_std.exp()), Normal(torch.zeros(1), torch.ones(1) * 0.5))
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum() - 0.01 * torch.stack(entropies).sum()
    loss = loss + spread.sum()
    loss.backward()
    for param in model.parameters():
        param.grad.data.clamp_(-1, 1)
    optimizer.step()
    del model.rewards[:]
    del model.saved_actions[:]
    return loss.item()


def build():
    return Policy()


def train(model, steps):
    rng = np.random.RandomState(5)
    optimizer = optim.Adam(model.parameters(), lr=3e-2)
    losses = []
    for _ in range(steps):
        position, entropies = 0.0, []
        for t in range(8):
            action, entropy = select_action(model, np.array([position, t / 8]), rng.rand())
            position += 0.25 if action else -0.25
            model.rewards.append(position)
            entropies.append(entropy)
        losses.append(finish_episode(model, optimizer, entropies))
    return losses
