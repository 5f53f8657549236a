"""Policy gradients: a cart learns to balance a pole, by REINFORCE and by PPO.

The environment (`carts.py`) is CartPole-v1, many at once: a reward of 1 for each step in which the pole stands, at most
500. A mean return of 475 counts as solved. Where Gymnasium is installed, the policies are also evaluated in its own.

    python examples/policy_gradients.py
"""

from pathlib import Path

import numpy as np
from carts import CartPoles, compare, network
from frame import run

import gpunet
import gpunet.nn.functional as F
from gpunet import optim


def rollout(carts, observations, policy, steps, device):
    """Some steps of all carts: observations, actions, whether each episode ended, whether the pole fell, the
    observations that followed, and the returns so far."""
    kept = []
    for _ in range(steps):
        with gpunet.no_grad():
            logits = policy(gpunet.tensor(observations, device=device)).numpy(force=True)
        actions = (logits[:, 0] - logits[:, 1] < carts.random.logistic(size=carts.n)).astype(int)  # from the softmax
        following, _, terminated, truncated, info = carts.step(actions)
        kept.append((observations, actions, terminated | truncated, terminated, info["final_observation"],
                     info["return"]))
        observations = following
    return observations, [np.stack(each) for each in zip(*kept, strict=True)]


def reinforce(device, rounds):
    """The gradient of log p(action) times the return that followed, with the mean return as the baseline."""
    policy, carts = network(2, device), CartPoles(16)
    optimizer = optim.Adam(policy.parameters(), lr=5e-3)
    curve = []
    for _ in range(rounds):
        _, (x, actions, ended, *_) = rollout(carts, carts.reset()[0], policy, 500, device)
        alive = np.cumsum(np.vstack([np.zeros_like(ended[:1]), ended[:-1]]), 0) == 0  # in each cart's first episode
        discounted, returns = np.zeros(carts.n), np.zeros(alive.shape)
        for t in reversed(range(len(alive))):
            returns[t] = discounted = alive[t] * (1 + 0.99 * discounted)
        advantages = (returns - returns[alive].mean()) / (returns[alive].std() + 1e-6)
        x, actions, advantages = (gpunet.tensor(each[alive], device=device)
                                  for each in (x, actions, np.float32(advantages)))
        optimizer.zero_grad()
        (F.cross_entropy(policy(x), actions, reduction="none") * advantages).mean().backward()
        optimizer.step()
        curve.append(alive.sum(0).mean())
    return policy, curve


def ppo(device, rounds):
    """Actor and critic: generalised advantage estimation, and a clipped ratio to the policy that acted."""
    actor, critic, carts = network(2, device), network(1, device), CartPoles(16)
    optimizer = optim.Adam([*actor.parameters(), *critic.parameters()], lr=3e-3)
    (observations, _), returns, curve = carts.reset(), [], []
    for _ in range(rounds):
        observations, (x, actions, ended, fell, following, so_far) = rollout(carts, observations, actor, 64, device)
        returns += so_far[ended].tolist()
        curve.append(np.mean(returns[-20:]))
        with gpunet.no_grad():
            values, next_values = (critic(gpunet.tensor(each, device=device))[..., 0].numpy(force=True)
                                   for each in (x, following))
        errors = 1 + 0.98 * next_values * ~fell - values
        advantage, advantages = 0, np.zeros_like(values)
        for t in reversed(range(len(x))):
            advantages[t] = advantage = errors[t] + 0.98 * 0.95 * ~ended[t] * advantage
        x, actions, advantages, targets = (gpunet.tensor(each.reshape(-1, *each.shape[2:]), device=device)
                                           for each in (x, actions, advantages, advantages + values))
        advantages = (advantages - advantages.mean()) / advantages.std()
        with gpunet.no_grad():
            old = -F.cross_entropy(actor(x), actions, reduction="none")
        for _ in range(4):
            for chosen in gpunet.randperm(len(x)).to(device).split(256):
                log_p = -F.cross_entropy(actor(x[chosen]), actions[chosen], reduction="none")
                ratio, gain = (log_p - old[chosen]).exp(), advantages[chosen]
                clipped = gpunet.minimum(ratio * gain, ratio.clamp(0.8, 1.2) * gain)
                loss = F.mse_loss(critic(x[chosen])[:, 0], targets[chosen]) / 100 - clipped.mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return actor, curve


def main(device="cpu", quick=False, out=Path(".")):
    return compare({reinforce: 12 if quick else 40, ppo: 8 if quick else 45}, device, out / "policy_gradients.png")


if __name__ == "__main__":
    run(main)
