"""The table of optimizers and options, and parameters and gradients to step with."""

import numpy as np

import gpunet
from gpunet import nn

SHAPES = [(7, 5), (3,), (), (0, 4), (2, 3, 4), (1,)]

# name, options
TABLE = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"lr": 0.05, "betas": (0.0, 0.5)}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.0, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.7, 0.9), "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 1e-4}),
    ("Adagrad", {"lr": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.6, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "eps": 1e-4, "weight_decay": 0.1, "momentum": 0.7}),
    ("RMSprop", {"lr": 0.05, "centered": True, "eps": 0.1}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.5, "eps": 0.1, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.05, "alpha": 0.6, "t0": 4, "weight_decay": 0.1, "maximize": True}),
]
STATEFUL = [row for row in TABLE if row[0] != "SGD" or "momentum" in row[1]]


def parameters(dtype="float64", device="cpu"):
    rng = np.random.default_rng(0)
    return [nn.Parameter(gpunet.tensor(rng.normal(size=shape).astype(dtype), device=device)) for shape in SHAPES]


def gradients(step, dtype="float64"):
    """Arrays: parameter 5 never has a gradient, parameter 1 from step 4 on, parameter 4 in every second step."""
    rng = np.random.default_rng(100 + step)
    for i, shape in enumerate(SHAPES):
        g = np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-3, 2)).astype(dtype)
        yield None if (i == 1 and step < 4) or (i == 4 and step % 2) or i == 5 else g


def set_gradients(step, ours, dtype="float64"):
    for p, g in zip(ours, gradients(step, dtype), strict=True):
        p.grad = None if g is None else gpunet.tensor(g, device=p.device)
