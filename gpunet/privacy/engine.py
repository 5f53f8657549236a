"""PrivacyEngine: turns a model, an optimizer and a loader into those of DP-SGD."""

from __future__ import annotations

from typing import Literal

from gpunet import nn
from gpunet.data import DataLoader
from gpunet.optim import Optimizer
from gpunet.privacy.accountant import RDPAccountant, get_noise_multiplier
from gpunet.privacy.optimizer import DPOptimizer
from gpunet.privacy.per_sample import PerSampleGradients
from gpunet.privacy.sampler import poisson_loader
from gpunet.random import Generator

__all__ = ["PrivacyEngine"]


class PrivacyEngine:
    """Makes a training loop private: the loop stays as it is, with the optimizer and the loader that it returns.

    Names and arguments are Opacus's. The model is the one that was given, not a wrapper.

    Attributes:
        accountant: counts the optimizer's steps.

    Examples:
        >>> model = nn.Linear(4, 2)
        >>> pairs = data.TensorDataset(gpunet.rand(100, 4), gpunet.randint(0, 2, (100,)))
        >>> engine = gpunet.privacy.PrivacyEngine()
        >>> model, optimizer, loader = engine.make_private(
        ...     module=model, optimizer=optim.SGD(model.parameters(), lr=0.1),
        ...     data_loader=data.DataLoader(pairs, batch_size=10), noise_multiplier=1.0, max_grad_norm=1.0)
        >>> for x, y in loader:
        ...     optimizer.zero_grad()
        ...     F.cross_entropy(model(x), y).backward()
        ...     optimizer.step()
        >>> 1 < engine.get_epsilon(delta=1e-2) < 2
        True
    """

    def __init__(self) -> None:
        self.accountant = RDPAccountant()

    def make_private(self, *, module: nn.Module, optimizer: Optimizer, data_loader: DataLoader, noise_multiplier: float,
                     max_grad_norm: float, poisson_sampling: bool = True,
                     loss_reduction: Literal["mean", "sum"] = "mean", noise_generator: Generator | None = None
                     ) -> tuple[nn.Module, DPOptimizer, DataLoader]:
        """The three for DP-SGD.

        Args:
            module: the model, in which each example's gradients are taken from now on.
            optimizer: an optimizer of its parameters.
            data_loader: a loader with a batch size.
            noise_multiplier: standard deviation of the noise over max_grad_norm.
            max_grad_norm: the norm to which each example's gradient is clipped.
            poisson_sampling: draw each example into a batch by itself. Without it the epsilon is only a guess, as the
                accountant assumes it.
            loss_reduction: how the loss puts the examples together.
            noise_generator: what noise and batches are drawn from; None: the default generator.

        Returns:
            The same module, a `DPOptimizer`, and the loader to use.

        Raises:
            ValueError: a layer mixes examples, the loader has no batch size, or a number is out of its range.
        """
        if not data_loader.batch_size:
            raise ValueError("make_private: the data_loader needs a batch_size, not a batch_sampler")
        size, count = data_loader.batch_size, len(data_loader.dataset)
        rate = min(1.0, size / count)
        private = DPOptimizer(optimizer, PerSampleGradients(module, loss_reduction), noise_multiplier, max_grad_norm,
                              expected_batch_size=rate * count, generator=noise_generator)
        private.step_hook = lambda: self.accountant.step(noise_multiplier=noise_multiplier, sample_rate=rate)
        return module, private, poisson_loader(data_loader, noise_generator) if poisson_sampling else data_loader

    def make_private_with_epsilon(self, *, module: nn.Module, optimizer: Optimizer, data_loader: DataLoader,
                                  target_epsilon: float, target_delta: float, epochs: int, max_grad_norm: float,
                                  poisson_sampling: bool = True, loss_reduction: Literal["mean", "sum"] = "mean",
                                  noise_generator: Generator | None = None
                                  ) -> tuple[nn.Module, DPOptimizer, DataLoader]:
        """The same, with the noise that some epochs need to stay within (epsilon, delta).

        Args:
            module: as for `make_private`.
            optimizer: likewise.
            data_loader: likewise.
            target_epsilon: the epsilon after all epochs.
            target_delta: the delta.
            epochs: how many epochs there will be.
            max_grad_norm: as for `make_private`.
            poisson_sampling: likewise.
            loss_reduction: likewise.
            noise_generator: likewise.

        Returns:
            As `make_private`.

        Raises:
            ValueError: as `make_private`, or no noise is enough.
        """
        rate = min(1.0, (data_loader.batch_size or 1) / len(data_loader.dataset))
        noise = get_noise_multiplier(target_epsilon, target_delta, rate, epochs * int(1 / rate))
        return self.make_private(module=module, optimizer=optimizer, data_loader=data_loader, noise_multiplier=noise,
                                 max_grad_norm=max_grad_norm, poisson_sampling=poisson_sampling,
                                 loss_reduction=loss_reduction, noise_generator=noise_generator)

    def get_epsilon(self, delta: float) -> float:
        """The epsilon that the steps so far have spent.

        Args:
            delta: the probability delta; below one over the number of examples.

        Returns:
            The epsilon.
        """
        return self.accountant.get_epsilon(delta)
