"""Federated averaging over simulated clients, whose data stays where it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import gpunet
from gpunet import nn, optim
from gpunet.tensor import Tensor

__all__ = ["FederatedAveraging", "average_states", "split_by_dirichlet"]


def average_states(states: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of models' state_dicts. Integers, such as counters, are those of the first.

    Args:
        states: the state_dicts, with the same names.
        weights: the weight of each, such as its number of examples.

    Returns:
        The mean, by name.

    Raises:
        ValueError: there are none, the names differ, or the weights do not fit.

    Examples:
        >>> states = [{"w": gpunet.tensor([0.0])}, {"w": gpunet.tensor([4.0])}]
        >>> gpunet.privacy.average_states(states, [3, 1])
        {'w': tensor([1.])}
    """
    if not states or len(states) != len(weights) or min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f"average_states: {len(states)} states need as many weights, not negative and not all 0; got "
                         f"{list(weights)}")
    if any(state.keys() != states[0].keys() for state in states):
        raise ValueError("average_states: the states have different names")
    shares = [weight / sum(weights) for weight in weights]
    found = {}
    for name, first in states[0].items():
        if not first.is_floating_point():
            found[name] = first.detach().clone()
            continue
        total = gpunet.zeros_like(first, requires_grad=False)
        for state, share in zip(states, shares, strict=True):
            total += state[name].detach() * share
        found[name] = total
    return found


class FederatedAveraging:
    """Trains one model on the data of many clients: in each round some clients train a copy of it on their own data,
    and the new model is the mean of theirs, weighted by their numbers of examples.

    Source: McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data".

    Args:
        model: the model, which changes with each round.
        clients: the data of each client: (inputs, targets).
        loss_fn: loss_fn(model(inputs), targets), a mean over examples.
        lr: learning rate of the clients' SGD.
        epochs: passes of a client over its data in a round.
        batch_size: of the clients; None: all of their data at once.
        fraction: share of the clients that take part in a round, at least one.
        optimizer: makes a client's optimizer from parameters; None: SGD with `lr`.
        seed: of the choice of clients and the order of their examples.

    Attributes:
        rounds: how many there were.

    Raises:
        ValueError: there are no clients, one has no data, or the fraction is not above 0 and at most 1.

    Examples:
        >>> clients = [(gpunet.rand(8, 3), gpunet.rand(8, 1)) for _ in range(4)]
        >>> federation = gpunet.privacy.FederatedAveraging(nn.Linear(3, 1), clients, F.mse_loss, lr=0.1)
        >>> losses = [federation.round() for _ in range(5)]
        >>> losses[-1] < losses[0]
        True
    """

    def __init__(self, model: nn.Module, clients: Sequence[tuple[Tensor, Tensor]], loss_fn: Callable[..., Tensor], *,
                 lr: float = 0.1, epochs: int = 1, batch_size: int | None = 32, fraction: float = 1.0,
                 optimizer: Callable[..., optim.Optimizer] | None = None, seed: int = 0) -> None:
        if not clients or any(len(x) == 0 or len(x) != len(y) for x, y in clients):
            raise ValueError("FederatedAveraging: each client needs inputs and as many targets, at least one")
        if not 0 < fraction <= 1:
            raise ValueError(f"FederatedAveraging: fraction must be above 0 and at most 1, got {fraction}")
        self.model, self.clients, self.loss_fn = model, list(clients), loss_fn
        self.epochs, self.batch_size, self.fraction, self.rounds = epochs, batch_size, fraction, 0
        self.optimizer = optimizer or (lambda parameters: optim.SGD(parameters, lr=lr))
        self._random = np.random.default_rng(seed)

    def round(self) -> float:
        """One round.

        Returns:
            The mean loss of the clients' steps, weighted by their numbers of examples.
        """
        count = max(1, round(self.fraction * len(self.clients)))
        chosen = sorted(self._random.choice(len(self.clients), count, replace=False))
        found = [self._train(*self.clients[client]) for client in chosen]
        weights = [len(self.clients[client][0]) for client in chosen]
        self.model.load_state_dict(average_states([state for state, _ in found], weights))
        self.rounds += 1
        return float(np.average([loss for _, loss in found], weights=weights))

    def _train(self, x: Tensor, y: Tensor) -> tuple[dict[str, Any], float]:
        """What a client sends back, and its mean loss."""
        model = copy.deepcopy(self.model).train()
        optimizer = self.optimizer(model.parameters())
        size, losses = self.batch_size or len(x), []
        for _ in range(self.epochs):
            order = gpunet.tensor(self._random.permutation(len(x)), device=x.device)
            for start in range(0, len(x), size):
                batch = order[start:start + size]
                optimizer.zero_grad()
                loss = self.loss_fn(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        return model.state_dict(), float(gpunet.stack(losses).mean())


def split_by_dirichlet(labels: Any, clients: int, alpha: float, seed: int = 0) -> list[Tensor]:
    """Divides examples among clients whose shares of each class are drawn from a Dirichlet distribution: with a small
    alpha a client has few classes, with a large one all have the same mixture.

    Source: Hsu et al. 2019, "Measuring the Effects of Non-Identical Data Distribution".

    Args:
        labels: the class of each example [N].
        clients: how many clients.
        alpha: concentration of the distribution.
        seed: of the draw.

    Returns:
        For each client the indices of its examples, at least one.

    Raises:
        ValueError: there are fewer examples than clients, or alpha is not positive.

    Examples:
        >>> parts = gpunet.privacy.split_by_dirichlet([0, 1] * 50, clients=4, alpha=0.5)
        >>> sorted(gpunet.cat(parts).tolist()) == list(range(100))
        True
    """
    labels = np.asarray(labels.cpu().numpy() if isinstance(labels, gpunet.Tensor) else labels)
    if not 1 <= clients <= len(labels) or alpha <= 0:
        raise ValueError(f"split_by_dirichlet: {len(labels)} examples cannot be divided among {clients} clients with "
                         f"alpha={alpha}; at least one example each, and alpha above 0")
    random = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        places = random.permutation(np.flatnonzero(labels == label))
        cuts = (np.cumsum(random.dirichlet([alpha] * clients))[:-1] * len(places)).astype(int)
        for part, each in zip(parts, np.split(places, cuts), strict=True):
            part.extend(each.tolist())
    for part in parts:  # no client without data
        if not part:
            part.append(max(parts, key=len).pop())
    return [gpunet.tensor(sorted(part), dtype=gpunet.int64) for part in parts]
