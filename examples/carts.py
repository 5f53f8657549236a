"""What the programs of reinforcement learning share: many CartPoles at once, and how methods are compared."""

import matplotlib.pyplot as plt
import numpy as np
from frame import GREY, save

import gpunet
from gpunet import nn


class CartPoles:
    """n copies of CartPole-v1, stepped together, with the interface of Gymnasium's vector environments."""

    def __init__(self, n, seed=0):
        self.n, self.random = n, np.random.default_rng(seed)

    def reset(self):
        self.state = self.random.uniform(-0.05, 0.05, (self.n, 4))
        self.steps = np.zeros(self.n, int)
        return self.state.astype(np.float32), {}

    def step(self, actions):
        """Pushes the carts to the left (0) or right (1): observations, rewards, terminated, truncated, info. A cart
        whose episode ends is reset at once; its last observation is in info["final_observation"]."""
        x, speed, angle, spin = self.state.T
        force = np.where(actions == 1, 10.0, -10.0)
        push = (force + 0.05 * spin**2 * np.sin(angle)) / 1.1
        turn = (9.8 * np.sin(angle) - np.cos(angle) * push) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        change = np.stack([speed, push - 0.05 * turn * np.cos(angle) / 1.1, spin, turn], 1)
        self.state = self.state + 0.02 * change
        self.steps += 1
        terminated = (abs(self.state[:, 0]) > 2.4) | (abs(self.state[:, 2]) > np.radians(12))
        truncated = (self.steps >= 500) & ~terminated
        info = {"final_observation": self.state.astype(np.float32), "return": self.steps.copy()}
        ended = terminated | truncated
        self.state[ended] = self.random.uniform(-0.05, 0.05, (ended.sum(), 4))
        self.steps[ended] = 0
        return self.state.astype(np.float32), np.ones(self.n), terminated, truncated, info


def best_actions(policy, observations, device):
    with gpunet.no_grad():
        return policy(gpunet.tensor(observations, device=device)).argmax(-1).numpy(force=True)


def evaluate(policy, device, n=20):
    """Mean return of the policy's best actions over n episodes."""
    carts = CartPoles(n, seed=1)
    observations, returns = carts.reset()[0], np.zeros(n)
    while not returns.all():
        observations, _, terminated, truncated, info = carts.step(best_actions(policy, observations, device))
        returns = np.where((returns == 0) & (terminated | truncated), info["return"], returns)
    return returns.mean()


def evaluate_in_gymnasium(policy, device, n=20):
    """The same in Gymnasium's own CartPole-v1; None if it is not installed."""
    try:
        import gymnasium
    except ImportError:
        return None
    total = 0.0
    with gymnasium.make("CartPole-v1") as environment:
        for seed in range(n):
            observation, ended = environment.reset(seed=seed)[0], False
            while not ended:
                action = int(best_actions(policy, observation, device))
                observation, reward, terminated, truncated, _ = environment.step(action)
                total, ended = total + reward, terminated or truncated
    return total / n


def network(outputs, device, width=64, activation=nn.Tanh):
    return nn.Sequential(nn.Linear(4, width), activation(), nn.Linear(width, width), activation(),
                         nn.Linear(width, outputs)).to(device)


def compare(methods, device, path):
    """Trains a policy by each method, a function of the device and a length; draws the returns during training, and
    returns those of the evaluation."""
    figures = {}
    figure, axis = plt.subplots(figsize=(8, 3.6))
    for method, length in methods.items():
        gpunet.manual_seed(0)
        policy, curve = method(device, length)
        name = method.__name__.upper()
        figures[name] = evaluate(policy, device)
        in_gymnasium = evaluate_in_gymnasium(policy, device)
        if in_gymnasium is not None:
            print(f"{name} in Gymnasium: {in_gymnasium:.0f}")
        axis.plot(np.linspace(0, 1, len(curve)), curve, label=f"{name}: {figures[name]:.0f} in the evaluation")
    axis.axhline(475, color=GREY, linestyle="--", label="solved: 475")
    axis.set(title="Return of an episode during training", ylim=(0, 520), xticks=[0, 1],
             xticklabels=["start", "end of training"])
    axis.legend()
    save(figure, path)
    return figures
