"""DP-SGD's step: clip each example's gradient, add noise to the sum, and let an optimizer go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gpunet
from gpunet.optim import Optimizer
from gpunet.privacy.per_sample import PerSampleGradients
from gpunet.random import Generator
from gpunet.tensor import Tensor

__all__ = ["DPOptimizer"]


class DPOptimizer(Optimizer):
    """An optimizer whose gradient is (sum over i of g_i min(1, C / |g_i|) + sigma C z) / B, where g_i is the gradient
    of example i over all parameters, z standard normal and B the expected batch size.

    Source: Abadi et al. 2016, "Deep Learning with Differential Privacy", algorithm 1.

    Args:
        optimizer: takes the step.
        samples: the examples' gradients, of the module that the optimizer trains.
        noise_multiplier: sigma.
        max_grad_norm: C, the norm to which each example's gradient is clipped.
        expected_batch_size: B; None: the size of each batch, which is not private with Poisson sampling.
        generator: what the noise is drawn from; None: the default generator.

    Attributes:
        step_hook: called as step_hook() after each step; the accountant's.

    Raises:
        ValueError: the noise is negative, or the norm is not positive.

    Examples:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> samples = gpunet.privacy.PerSampleGradients(model, "sum")
        >>> optimizer = gpunet.privacy.DPOptimizer(optim.SGD(model.parameters(), lr=1.0), samples, 0.0, 1.0, 2)
        >>> model(gpunet.tensor([[0.5], [8.0]])).sum().backward()
        >>> optimizer.step()
        >>> model.weight.grad  # (0.5 + 1) / 2
        tensor([[0.7500]])
    """

    def __init__(self, optimizer: Optimizer, samples: PerSampleGradients, noise_multiplier: float, max_grad_norm: float,
                 expected_batch_size: float | None = None, generator: Generator | None = None) -> None:
        if noise_multiplier < 0:
            raise ValueError(f"DPOptimizer: noise_multiplier must not be negative, got {noise_multiplier}")
        if max_grad_norm <= 0:
            raise ValueError(f"DPOptimizer: max_grad_norm must be positive, got {max_grad_norm}")
        self.optimizer, self.samples = optimizer, samples
        self.noise_multiplier, self.max_grad_norm = noise_multiplier, max_grad_norm
        self.expected_batch_size, self.generator = expected_batch_size, generator
        self.step_hook: Callable[[], None] | None = None
        self._start()

    # Groups, state and defaults are the inner optimizer's, so that schedules and checkpoints reach it.
    param_groups = property(lambda self: self.optimizer.param_groups)  # type: ignore[assignment]
    state = property(lambda self: self.optimizer.state)  # type: ignore[assignment]
    defaults = property(lambda self: self.optimizer.defaults)  # type: ignore[assignment]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        self.optimizer.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state_dict)

    def __repr__(self) -> str:
        return f"DPOptimizer({self.optimizer!r}, noise_multiplier={self.noise_multiplier}, " \
               f"max_grad_norm={self.max_grad_norm})"

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drops all gradients, the examples' too.

        Args:
            set_to_none: as for every optimizer.
        """
        self.samples.clear()
        self.optimizer.zero_grad(set_to_none)

    def clipped_sum(self) -> dict[Tensor, Tensor]:
        """The sum of the clipped gradients, before the noise.

        Returns:
            For each parameter its sum.

        Raises:
            RuntimeError: a parameter has no gradients of examples.
        """
        parameters = [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad]
        found = [getattr(p, "grad_sample", None) for p in parameters]
        if not parameters or any(each is None for each in found):
            raise RuntimeError("DPOptimizer: a parameter has no gradients of examples; run the module that it was made "
                               "for, loss.backward(), and let every parameter take part or set requires_grad=False")
        rows = [each.reshape(each.shape[0], p.numel()) for p, each in zip(parameters, found, strict=True)
                if each is not None]
        norms = gpunet.stack([row.float().square().sum(1) for row in rows]).sum(0).sqrt()
        scale = (self.max_grad_norm / norms.clamp(min=self.max_grad_norm))
        return {p: (scale.to(row.dtype) @ row).reshape(p.shape) for p, row in zip(parameters, rows, strict=True)}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Clips, adds noise, steps, and drops the examples' gradients.

        Args:
            closure: computes the loss and its gradients anew; what it returns is returned.

        Raises:
            RuntimeError: a parameter has no gradients of examples.
        """
        loss = None
        if closure is not None:
            with gpunet.enable_grad():
                loss = closure()
        with gpunet.no_grad():
            sums = self.clipped_sum()
            size = self.expected_batch_size
            if size is None:
                size = max(1, next(iter(sums)).__dict__["grad_sample"].shape[0])
            for parameter, total in sums.items():
                if self.noise_multiplier:
                    noise = gpunet.empty_like(total).normal_(generator=self.generator)
                    total = total + noise * (self.noise_multiplier * self.max_grad_norm)
                parameter.grad = total / size
        self.optimizer.step()
        self.samples.clear()
        if self.step_hook is not None:
            self.step_hook()
        return loss
