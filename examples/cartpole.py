"""Reinforcement learning: a cart learns to balance a pole, by REINFORCE, PPO and DQN.

The environment (`carts.py`) has Gymnasium's interface and CartPole-v1's physics, many carts at once: a reward of 1 for
each step in which the pole stands, at most 500. A mean return of 475 counts as solved. Where Gymnasium is installed,
the policies are also tested in its own.

    python examples/cartpole.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from carts import CartPoles, test, test_in_gymnasium
from frame import GREY, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def network(outputs, device, width=64, activation=nn.Tanh):
    return nn.Sequential(nn.Linear(4, width), activation(), nn.Linear(width, width), activation(),
                         nn.Linear(width, outputs)).to(device)


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
    figures = {}
    figure, axis = plt.subplots(figsize=(8, 3.6))
    for method, length in ((reinforce, 12 if quick else 40), (ppo, 8 if quick else 30),
                           (dqn, 400 if quick else 4000)):
        gpunet.manual_seed(0)
        policy, curve = method(device, length)
        name = method.__name__.upper()
        figures[name] = test(policy, device)
        in_gymnasium = test_in_gymnasium(policy, device)
        if in_gymnasium is not None:
            print(f"{name} in Gymnasium: {in_gymnasium:.0f}")
        axis.plot(np.linspace(0, 1, len(curve)), curve, label=f"{name}: {figures[name]:.0f} in the test")
    axis.axhline(475, color=GREY, linestyle="--", label="solved: 475")
    axis.set(title="Steps that the pole stands, while it learns", ylim=(0, 520), xticks=[0, 1],
             xticklabels=["start", "end of training"])
    axis.legend()
    save(figure, out / "cartpole.png")
    return figures


if __name__ == "__main__":
    run(main)
