"""Deep Q-learning: a cart learns to balance a pole from the values of its actions.

The network estimates the return that follows each action in CartPole-v1 (`carts.py`; at most 500). It learns from a
replay memory, against a target network that follows slowly; the one chooses the next action and the other values it
(double DQN).

    python examples/q_learning.py
"""

from pathlib import Path

import numpy as np
from carts import CartPoles, best_actions, compare, network
from frame import run

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim

MEMORY = 20_000  # transitions


def dqn(device, steps):
    values, target = (network(2, device, 128, nn.ReLU) for _ in range(2))
    target.load_state_dict(values.state_dict())
    optimizer = optim.Adam(values.parameters(), lr=1e-3)
    memory = [np.zeros((MEMORY, *shape), kind) for shape, kind in (((4,), "f4"), ((), "i8"), ((4,), "f4"), ((), "f4"))]
    carts = CartPoles(8)
    (observations, _), curve, returns, best = carts.reset(), [], [], (0, values.state_dict())

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
        explores = carts.random.random(8) < max(0.05, 1 - step / (0.2 * steps))
        actions = np.where(explores, carts.random.integers(0, 2, 8), best_actions(values, observations, device))
        following, _, fell, truncated, info = carts.step(actions)
        rows = np.arange(8 * step, 8 * step + 8) % MEMORY
        for column, new in zip(memory, (observations, actions, info["final_observation"], ~fell), strict=True):
            column[rows] = new
        observations = following
        returns += info["return"][fell | truncated].tolist()
        for _ in range(2 * (step >= 60)):
            rows = carts.random.integers(0, min(8 * step, MEMORY), 128)
            learn(*(gpunet.tensor(column[rows], device=device) for column in memory))
        if step % 50 == 49:
            curve.append(np.mean(returns[-10:]))
            if curve[-1] > best[0]:
                best = curve[-1], {name: value.clone() for name, value in values.state_dict().items()}
    values.load_state_dict(best[1])
    return values, curve


def main(device="cpu", quick=False, out=Path(".")):
    return compare({dqn: 400 if quick else 4000}, device, out / "q_learning.png")


if __name__ == "__main__":
    run(main)
