"""Seven ways down a hill, and up: the paths of optimizers over contours.

Gradient descent, SGD, momentum, Langevin's noisy descent, Newton's method with the whole Hessian and NewtonCG, which
needs only products with it, on a long valley, Rosenbrock's banana and Himmelblau's four bowls; and gradient ascent.

    python examples/optimization_paths.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import run, save

import gpunet
from gpunet import optim
from gpunet.autograd.functional import hessian


def valley(x, y):
    return (x**2 + 12 * y**2) / 2


def banana(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def bowls(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def path(f, start, steps, device, spread=0.0, temperature=0.0, newton=False, **options):
    """The points that an optimizer visits. `spread`: of the data, of which each step sees one point; `temperature`: of
    Langevin's noise; `newton`: the step is H^-1 g in place of g; `options`: of SGD."""
    p = gpunet.tensor(start, device=device, dtype=gpunet.float64, requires_grad=True)
    optimizer, points = optim.SGD([p], **options), [p.tolist()]
    for _ in range(steps):
        optimizer.zero_grad()
        f(*(p + spread * gpunet.randn_like(p))).backward()
        if newton:
            p.grad = gpunet.linalg.solve(hessian(lambda q: f(*q), p), p.grad)
        optimizer.step()
        with gpunet.no_grad():
            p += (2 * options["lr"] * temperature) ** 0.5 * gpunet.randn_like(p)
        points.append(p.tolist())
    return np.array(points)


def path_of_newton_cg(f, start, steps, device):
    p = gpunet.tensor(start, device=device, dtype=gpunet.float64, requires_grad=True)
    optimizer, points = optim.NewtonCG([p], max_iter=1), [p.tolist()]
    for _ in range(steps):
        optimizer.step(lambda: f(*p))  # which it differentiates itself
        points.append(p.tolist())
    return np.array(points)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    steps = 60 if quick else 1000
    a, b, c = (-4.0, 1.6), (-1.5, 0.5), (-0.5, 0.0)
    panels = {
        ("The long valley", valley, (-4.6, 1.6, -2.1, 2.1)): {
            "gradient descent": path(valley, a, 60, device, lr=0.15),
            "SGD, one example a step": path(valley, a, 60, device, lr=0.06, spread=0.35),
            "momentum 0.8": path(valley, a, 60, device, lr=0.02, momentum=0.8),
            "Newton": path(valley, a, 1, device, lr=1.0, newton=True)},
        ("Rosenbrock's banana", banana, (-2.1, 1.5, -1.4, 2.6)): {
            "gradient descent": path(banana, b, steps, device, lr=0.001),
            "momentum 0.9": path(banana, b, steps, device, lr=0.0005, momentum=0.9),
            "NewtonCG": path_of_newton_cg(banana, b, 40, device),
            "Newton": path(banana, b, 12, device, lr=1.0, newton=True)},
        ("Himmelblau's four bowls", bowls, (-5.2, 5.2, -5.2, 5.2)): {
            "gradient descent": path(bowls, c, 60, device, lr=0.01),
            "Langevin, temperature 40": path(bowls, c, 2 * steps, device, lr=0.005, temperature=40.0),
            "gradient ascent": path(bowls, (0.9, 0.6), 200, device, lr=0.005, maximize=True)},
    }

    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4))
    for axis, ((title, f, (left, right, low, high)), paths) in zip(axes, panels.items(), strict=True):
        grid = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        axis.contour(*grid, np.log1p(f(*grid)), 14, colors="#c8c8c8", linewidths=0.8, zorder=0)
        for name, points in paths.items():
            style = {"markersize": 1.5, "linewidth": 0.3, "zorder": 1} if name.startswith("Langevin") else \
                {"markersize": 4, "linewidth": 1.2}
            axis.plot(*points.T, ".-", label=name, **style)
        axis.set(title=title, xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        axis.legend(loc="upper right", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none")
    save(figure, out / "optimization_paths.png")

    _, on_banana, on_bowls = panels.values()
    minima = np.array([[3, 2], [-2.805, 3.131], [-3.779, -3.283], [3.584, -1.848]])
    distances = np.linalg.norm(on_bowls["Langevin, temperature 40"][:, None] - minima, axis=-1)
    return {
        "banana_after_descent": banana(*on_banana["gradient descent"][-1]),
        "banana_after_momentum": banana(*on_banana["momentum 0.9"][-1]),
        "banana_after_newton_cg": banana(*on_banana["NewtonCG"][-1]),
        "bowls_that_langevin_visits": (distances.min(0) < 0.5).sum(),
        "height_after_ascent": bowls(*on_bowls["gradient ascent"][-1]),
    }


if __name__ == "__main__":
    run(main)
