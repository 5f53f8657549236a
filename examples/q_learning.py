"""Reinforcement learning of values: a cart learns to balance a pole, by a deep Q-network.

The network says how much reward is still to come after each action (`carts.py` is the environment, at most 500). It
learns from what it remembers, in random order, and from its own word on the next step, which a copy gives that changes
slowly (double DQN).

    python examples/q_learning.py
"""

from pathlib import Path

import numpy as np
from carts import CartPoles, contest, network
from frame import run

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def dqn(device, steps):
    """The value of each action, learned from remembered steps against a copy that changes slowly (double DQN)."""
    values, target = (network(2, device, 128, nn.ReLU) for _ in range(2))
    target.load_state_dict(values.state_dict())
    optimizer = optim.Adam(values.parameters(), lr=1e-3)
    memory = [np.zeros((20_000, *shape), kind) for shape, kind in (((4,), "f4"), ((), "i8"), ((4,), "f4"), ((), "f4"))]
    carts = CartPoles(8)
    (seen, _), curve, returns, best = carts.reset(), [], [], (0, values.state_dict())

    @gpunet.compile
    def learn(x, actions, following, alive):
        with gpunet.no_grad():
            chosen = values(following).argmax(1, keepdim=True)
            wanted = 1 + 0.98 * alive * target(following).gather(1, chosen)[:, 0]
        optimizer.zero_grad()
        F.smooth_l1_loss(values(x).gather(1, actions[:, None])[:, 0], wanted).backward()
        optimizer.step()
        with gpunet.no_grad():
            for slow, fast in zip(target.parameters(), values.parameters(), strict=True):
                slow.lerp_(fast, 0.02)

    for step in range(steps):
        with gpunet.no_grad():
            actions = values(gpunet.tensor(seen, device=device)).argmax(1).numpy(force=True)
        guessed = carts.random.random(8) < max(0.05, 1 - step / (0.2 * steps))
        actions = np.where(guessed, carts.random.integers(0, 2, 8), actions)
        following, _, fell, truncated, info = carts.step(actions)
        rows = np.arange(8 * step, 8 * step + 8) % 20_000
        for place, new in zip(memory, (seen, actions, info["final_observation"], ~fell), strict=True):
            place[rows] = new
        seen = following
        returns += info["return"][fell | truncated].tolist()
        for _ in range(2 * (step >= 60)):
            rows = carts.random.integers(0, min(8 * step, 20_000), 128)
            learn(*(gpunet.tensor(each[rows], device=device) for each in memory))
        if step % 50 == 49:
            curve.append(np.mean(returns[-10:]))
            if curve[-1] > best[0]:
                best = curve[-1], {name: value.clone() for name, value in values.state_dict().items()}
    values.load_state_dict(best[1])
    return values, curve


def main(device="cpu", quick=False, out=Path(".")):
    return contest({dqn: 400 if quick else 4000}, device, out / "q_learning.png")


if __name__ == "__main__":
    run(main)
