"""Reinforcement learning of a policy: a cart learns to balance a pole, by REINFORCE and by PPO.

The environment (`carts.py`) has Gymnasium's interface and CartPole-v1's physics, many carts at once: a reward of 1 for
each step in which the pole stands, at most 500. A mean return of 475 counts as solved. Where Gymnasium is installed,
the policies are also tested in its own.

    python examples/policy_gradients.py
"""

from pathlib import Path

import numpy as np
from carts import CartPoles, contest, network
from frame import run

import gpunet
import gpunet.nn.functional as F
from gpunet import optim


def rollout(carts, seen, policy, steps, device):
    """What happens in some steps of all carts: observations, actions, whether each ended, and whether by falling."""
    kept = []
    for _ in range(steps):
        with gpunet.no_grad():
            logits = policy(gpunet.tensor(seen, device=device)).numpy(force=True)
        actions = (logits[:, 0] - logits[:, 1] < carts.random.logistic(size=carts.n)).astype(int)  # samples of softmax
        following, _, terminated, truncated, info = carts.step(actions)
        kept.append((seen, actions, terminated | truncated, terminated, info["final_observation"]))
        seen = following
    return seen, [np.stack(each) for each in zip(*kept, strict=True)]


def reinforce(device, rounds):
    """The gradient of log p(action) times the return that followed, less its mean."""
    policy, carts = network(2, device), CartPoles(16)
    optimizer = optim.Adam(policy.parameters(), lr=5e-3)
    curve = []
    for _ in range(rounds):
        _, (x, actions, ended, _, _) = rollout(carts, carts.reset()[0], policy, 500, device)
        alive = np.cumsum(np.vstack([np.zeros_like(ended[:1]), ended[:-1]]), 0) == 0  # each cart's first episode
        to_go, returns = np.zeros(carts.n), np.zeros(alive.shape)
        for t in reversed(range(len(alive))):
            to_go = alive[t] * (1 + 0.99 * to_go)
            returns[t] = to_go
        gains = (returns - returns[alive].mean()) / (returns[alive].std() + 1e-6)
        x, actions, gains = (gpunet.tensor(each[alive], device=device) for each in (x, actions, np.float32(gains)))
        optimizer.zero_grad()
        F.cross_entropy(policy(x), actions, reduction="none").mul(gains).mean().backward()
        optimizer.step()
        curve.append(alive.sum(0).mean())
    return policy, curve


def ppo(device, rounds):
    """Actor and critic: advantages (GAE) say what was better than expected; steps stay near the policy that acted."""
    actor, critic, carts = network(2, device), network(1, device), CartPoles(16)
    optimizer = optim.Adam([*actor.parameters(), *critic.parameters()], lr=3e-3)
    (seen, _), curve = carts.reset(), []
    for _ in range(rounds):
        seen, (x, actions, ended, fell, last) = rollout(carts, seen, actor, 64, device)
        with gpunet.no_grad():
            values, following = (critic(gpunet.tensor(each, device=device))[..., 0].numpy(force=True)
                                 for each in (x, last))
        errors, gain, gains = 1 + 0.98 * following * ~fell - values, 0, np.zeros_like(values)
        for t in reversed(range(len(x))):
            gain = gains[t] = errors[t] + 0.98 * 0.95 * ~ended[t] * gain
        x, actions, gains, targets = (gpunet.tensor(each.reshape(-1, *each.shape[2:]), device=device)
                                      for each in (x, actions, gains, gains + values))
        gains = (gains - gains.mean()) / gains.std()
        with gpunet.no_grad():
            before = -F.cross_entropy(actor(x), actions, reduction="none")
        for _ in range(4):
            for chosen in gpunet.randperm(len(x)).to(device).split(256):
                logits = actor(x[chosen])
                ratio = (-F.cross_entropy(logits, actions[chosen], reduction="none") - before[chosen]).exp()
                better = gpunet.minimum(ratio * gains[chosen], ratio.clamp(0.8, 1.2) * gains[chosen])
                loss = F.mse_loss(critic(x[chosen])[:, 0], targets[chosen]) / 100 - better.mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        curve.append(len(x) / max(ended.sum(), 1) if ended.sum() > 2 else 500)
    return actor, curve


def main(device="cpu", quick=False, out=Path(".")):
    return contest({reinforce: 12 if quick else 40, ppo: 8 if quick else 30}, device, out / "policy_gradients.png")


if __name__ == "__main__":
    run(main)
