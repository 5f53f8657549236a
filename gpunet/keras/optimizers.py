"""Optimizers with Keras's names, defaults and steps, by those of gpunet.optim."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import gpunet
from gpunet import nn, optim
from gpunet.keras import schedules
from gpunet.keras.naming import found
from gpunet.optim.lr_scheduler import LambdaLR

__all__ = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Nadam", "Optimizer", "RMSprop", "SGD", "get",
           "schedules"]


class Optimizer:
    """The base class: a learning rate, clipping, and the optimizer of gpunet.optim that does the steps.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        clipnorm: limit of the norm of each weight's gradient.
        clipvalue: limit of each element of the gradients.
        global_clipnorm: limit of the norm of all gradients together.
        name: its name.

    Attributes:
        inner: the optimizer of gpunet.optim, once the model is built, or None.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> optimizer = keras.optimizers.SGD(0.1)
        >>> optimizer.learning_rate
        0.1
    """

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float | None = None, clipnorm: float | None = None,
                 clipvalue: float | None = None, global_clipnorm: float | None = None,
                 name: str | None = None) -> None:
        self.name = name or type(self).__name__.lower()
        if not callable(learning_rate) and not learning_rate >= 0:
            raise ValueError(f"{self.name}: learning_rate must not be negative, and is {learning_rate!r}.")
        if sum(each is not None for each in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(f"{self.name}: give only one of clipnorm, clipvalue and global_clipnorm.")
        self._rate: Any = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.inner: optim.Optimizer | None = None

    @property
    def learning_rate(self) -> Any:
        """The rate; it can be set at any time, if it follows no schedule."""
        if self.inner is not None and not callable(self._rate):
            return float(self.inner.param_groups[0]["lr"])
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self.inner is not None:
            if callable(value) or callable(self._rate):
                raise ValueError(f"{self.name}: the learning rate follows a schedule; compile the model with another "
                                 "optimizer to change it.")
            for group in self.inner.param_groups:
                group["lr"] = float(value)
        self._rate = value

    def build(self, parameters: Iterable[Any]) -> tuple[optim.Optimizer, Any]:
        """Makes the optimizer of gpunet.optim.

        Args:
            parameters: what it is to train.

        Returns:
            The optimizer, and the scheduler of its rate, or None.
        """
        parameters = list(parameters)
        schedule: Any = self._rate if callable(self._rate) else None
        rate: Any = self._rate if schedule is None else schedule(0)
        inner = self.inner = self.made(parameters, float(rate))
        if self.clipnorm is not None:
            limit = self.clipnorm

            def clip(*_: Any) -> None:
                for each in parameters:
                    if each.grad is not None:
                        nn.utils.clip_grad_norm_(each, limit)

            inner.register_step_pre_hook(clip)
        if schedule is None:
            return inner, None
        first = float(rate) or 1.0
        return inner, LambdaLR(inner, lambda step: float(schedule(step)) / first)

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        """The optimizer of gpunet.optim; a subclass defines it.

        Args:
            parameters: what it is to train.
            lr: the learning rate.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define made.")

    def _decayed(self, inner: optim.Optimizer) -> optim.Optimizer:
        """The same with decay of the weights before each step, apart from the gradient."""
        decay = self.weight_decay
        if not decay:
            return inner

        @gpunet.no_grad()
        def shrink(*_: Any) -> None:
            for group in inner.param_groups:
                for each in group["params"]:
                    if each.grad is not None:
                        each.mul_(1 - group["lr"] * decay)

        inner.register_step_pre_hook(shrink)
        return inner


def _corrected(inner: optim.Optimizer, epsilon: float, beta: float) -> None:
    """Adds epsilon to sqrt(v), as Keras does, where gpunet.optim adds it to sqrt(v / (1 - beta^t))."""
    steps = 0

    def set_epsilon(*_: Any) -> None:
        nonlocal steps
        steps += 1
        for group in inner.param_groups:
            group["eps"] = epsilon / math.sqrt(1 - beta**steps)

    inner.register_step_pre_hook(set_epsilon)


class _RMSprop(optim.Optimizer):
    """RMSprop with epsilon under the root."""

    def __init__(self, params: Any, lr: float, rho: float, momentum: float, epsilon: float, centered: bool) -> None:
        super().__init__(params, {"lr": lr})
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    @gpunet.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for each in group["params"]:
                if each.grad is None:
                    continue
                state, g = self.state[each], each.grad
                for name in ("square", *["momentum"] * bool(self.momentum), *["mean"] * self.centered):
                    if name not in state:
                        state[name] = gpunet.zeros_like(each)
                square = state["square"].mul_(self.rho).addcmul_(g, g, value=1 - self.rho)
                if self.centered:
                    mean = state["mean"].mul_(self.rho).add_(g, alpha=1 - self.rho)
                    square = square - mean * mean
                change = g / (square + self.epsilon).sqrt() * group["lr"]
                if self.momentum:
                    change = state["momentum"].mul_(self.momentum).add_(change)
                each.sub_(change)


class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        momentum: how much of the last step each step keeps.
        nesterov: whether the gradient is looked at ahead, as Nesterov does.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.SGD().learning_rate
        0.01
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float |
                 None = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.momentum, self.nesterov = momentum, nesterov

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        nesterov = self.nesterov and self.momentum > 0
        return self._decayed(optim.SGD(parameters, lr, momentum=self.momentum, nesterov=nesterov))


class Adam(Optimizer):
    """Adam: steps along the mean gradient over the root of its mean square.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        beta_1: how much of the mean gradient each step keeps.
        beta_2: how much of its square each step keeps.
        epsilon: added to the divisor.
        amsgrad: divide by the largest mean square so far.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.Adam().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 amsgrad: bool = False, weight_decay: float | None = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        inner = optim.AdamW(parameters, lr, (self.beta_1, self.beta_2), self.epsilon, self.weight_decay or 0.0,
                            self.amsgrad)
        _corrected(inner, self.epsilon, self.beta_2)
        return inner


class AdamW(Adam):
    """Adam with decay of the weights.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        beta_1: how much of the mean gradient each step keeps.
        beta_2: how much of its square each step keeps.
        epsilon: added to the divisor.
        amsgrad: divide by the largest mean square so far.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.AdamW().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 amsgrad: bool = False, weight_decay: float | None = 0.004, **options: Any) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, **options)


class Adamax(Optimizer):
    """Adam with a decaying maximum in place of the root mean square.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        beta_1: how much of the mean gradient each step keeps.
        beta_2: how much of its square each step keeps.
        epsilon: added to the divisor.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.Adamax().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 weight_decay: float | None = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        return self._decayed(optim.Adamax(parameters, lr, (self.beta_1, self.beta_2), self.epsilon))


class Nadam(Optimizer):
    """Adam with Nesterov's momentum.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        beta_1: how much of the mean gradient each step keeps.
        beta_2: how much of its square each step keeps.
        epsilon: added to the divisor.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.Nadam().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7,
                 weight_decay: float | None = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        return self._decayed(optim.NAdam(parameters, lr, (self.beta_1, self.beta_2), self.epsilon, momentum_decay=1.0))


class Adadelta(Optimizer):
    """Adadelta: steps in the units of the weights.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        rho: how much of the mean square each step keeps.
        epsilon: added to the divisor.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.Adadelta().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, weight_decay: float | None
                 = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.rho, self.epsilon = rho, epsilon

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        return self._decayed(optim.Adadelta(parameters, lr, self.rho, self.epsilon))


class Adagrad(Optimizer):
    """Adagrad: divides by the root of the sum of squares so far.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        initial_accumulator_value: what the sum of squares begins with.
        epsilon: added to the divisor.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.Adagrad().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7,
                 weight_decay: float | None = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        return self._decayed(optim.Adagrad(
            parameters, lr, initial_accumulator_value=self.initial_accumulator_value + self.epsilon, eps=0.0))


class RMSprop(Optimizer):
    """RMSprop: divides by the root of the mean square.

    Args:
        learning_rate: the rate, or a schedule of it by steps.
        rho: how much of the mean square each step keeps.
        momentum: how much of the last step each step keeps.
        epsilon: added to the divisor.
        centered: divide by the standard deviation.
        weight_decay: share of each weight, times the rate, that a step takes away; None: none.
        options: clipnorm, clipvalue, global_clipnorm and name, as Optimizer has them.

    Examples:
        >>> keras.optimizers.RMSprop().learning_rate
        0.001
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-7,
                 centered: bool = False, weight_decay: float | None = None, **options: Any) -> None:
        super().__init__(learning_rate, weight_decay, **options)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def made(self, parameters: list[Any], lr: float) -> optim.Optimizer:
        return self._decayed(_RMSprop(parameters, lr, self.rho, self.momentum, self.epsilon, self.centered))


_NAMES: dict[str, Callable[..., Any]] = {
    each.__name__.lower(): each for each in (SGD, Adam, AdamW, Adamax, Nadam, Adadelta, Adagrad, RMSprop)
}


def get(identifier: Any) -> Optimizer:
    """An optimizer by its name.

    Args:
        identifier: the name, or an Optimizer of this module.

    Raises:
        ValueError: there is no optimizer of this name.
        TypeError: it is an optimizer of another module.

    Examples:
        >>> keras.optimizers.get("adam").learning_rate
        0.001
    """
    if isinstance(identifier, str):
        return found("optimizer", identifier.lower(), _NAMES)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    if not isinstance(identifier, Optimizer):
        raise TypeError(f"compile takes a name such as 'adam' or an optimizer of gpunet.keras.optimizers, not "
                        f"{type(identifier).__name__}.")
    return identifier
