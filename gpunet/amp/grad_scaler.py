"""GradScaler: keeps small float16 gradients from becoming 0, and skips steps whose gradients overflow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, overload

from gpunet import devices
from gpunet._warn import warn
from gpunet.dispatch import into
from gpunet.dtypes import float16, float32, int32
from gpunet.engine.modes import no_grad
from gpunet.ops.creation import empty, full
from gpunet.ops.gradients import move_loss_scale, unscale_all
from gpunet.ops.views import as_it_lies
from gpunet.optim.optimizer import Optimizer
from gpunet.tensor import Tensor

_READY, _UNSCALED, _STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Loss scaling: multiplies the loss by a factor, and divides the gradients by it before the step.

    With the factor, small gradients do not become 0 in float16. A step is skipped if a gradient is infinite or NaN; the
    factor then shrinks. After `growth_interval` good steps it grows. Each step the host reads whether there are
    infinities, so the step cannot be recorded by `gpunet.compile`.

    Source: Micikevicius et al., "Mixed Precision Training", 2018.

    Args:
        device: where the gradients are: "cuda", "cpu" or "sim". Without a GPU, "cuda" warns and disables the scaler.
        init_scale: the factor at first.
        growth_factor: by what the factor is multiplied when it grows; more than 1.
        backoff_factor: by what the factor is multiplied when it shrinks; less than 1.
        growth_interval: number of good steps in a row after which the factor grows.
        enabled: False: the scaler changes nothing.

    Examples:
        >>> model = nn.Linear(2, 1)
        >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
        >>> scaler = amp.GradScaler("cpu", init_scale=1024.0)
        >>> with gpunet.autocast("cpu"):
        ...     loss = model(gpunet.ones(4, 2)).mean()
        >>> scaler.scale(loss).backward()
        >>> scaler.step(optimizer)     # skipped if a gradient is infinite or NaN
        >>> scaler.update()            # the factor may shrink or grow
        >>> scaler.get_scale()
        1024.0
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
                 backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True) -> None:
        if enabled and device == "cuda":
            try:
                devices.get("cuda")
            except RuntimeError:
                warn("gpunet.amp.GradScaler is enabled, but CUDA is not available.  Disabling.")
                enabled = False
        self._device, self._enabled = device, enabled
        if not enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._init_scale, self._init_growth_tracker = init_scale, 0
        self._state: tuple[Tensor, Tensor] | None = None  # factor, good steps in a row; made where the first loss is
        self._forget()

    def _forget(self) -> None:
        # optimizer's id -> where it stands, and for each device whether an infinity was found
        self._states: dict[int, dict[str, Any]] = defaultdict(lambda: {"stage": _READY, "found": {}})

    @overload
    def scale(self, outputs: Tensor) -> Tensor: ...

    @overload
    def scale(self, outputs: Iterable[Tensor]) -> Iterable[Tensor]: ...

    def scale(self, outputs: Any) -> Any:
        """Multiplies losses by the factor.

        Args:
            outputs: a loss, or several in a list, tuple or other iterable.

        Returns:
            The same, scaled.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._state is None:
                self._state = (full((), self._init_scale, dtype=float32, device=outputs.device),
                               full((), self._init_growth_tracker, dtype=int32, device=outputs.device))
            return outputs * self._state[0].to(outputs.device)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _begun(self, name: str) -> tuple[Tensor, Tensor]:
        """The factor and the good steps, on the device. Raises AssertionError if no loss has been scaled."""
        if self._state is None:
            raise AssertionError(f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                                 "scaler.scale(loss or outputs) earlier in the iteration.")
        return self._state

    @no_grad()
    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients of the optimizer's parameters by the factor, so that they can be clipped before `step`.

        Without it, `step` divides them. May be called once a step.

        Args:
            optimizer: the optimizer.

        Raises:
            RuntimeError: it was called already, or after `step`.
            ValueError: a gradient is float16.
        """
        if not self._enabled:
            return
        scale, _ = self._begun("unscale_")
        state = self._states[id(optimizer)]
        if state["stage"] is _UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is _STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        together: dict[tuple, list[Tensor]] = {}  # what one call can do
        for p in (p for group in optimizer.param_groups for p in group["params"]):
            if p.grad is None:
                continue
            if p.grad.dtype is float16:
                raise ValueError("Attempting to unscale FP16 gradients.")
            together.setdefault((p.grad._device, p.grad.dtype), []).append(p.grad)
        for gradients in together.values():
            device = gradients[0].device
            bad = empty((), dtype=float32, device=device)
            into(unscale_all.op, (*map(as_it_lies, gradients), bad), scale.to(device))
            found = state["found"]
            found[device] = found[device].maximum(bad) if device in found else bad
        state["stage"] = _UNSCALED

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Calls `optimizer.step` with unscaled gradients, unless one of them is infinite or NaN.

        Args:
            optimizer: the optimizer.
            args: arguments of its step.
            kwargs: keyword arguments of its step.

        Returns:
            What the optimizer's step returns; None if it was skipped.

        Raises:
            RuntimeError: a closure is given, or the step was taken already.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._begun("step")
        state = self._states[id(optimizer)]
        if state["stage"] is _STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is _READY:
            self.unscale_(optimizer)
        if not state["found"]:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        state["stage"] = _STEPPED
        return None if any(map(bool, state["found"].values())) else optimizer.step(*args, **kwargs)

    @no_grad()
    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapts the factor after a step: it shrinks after an overflow, and grows after `growth_interval` good steps.

        Args:
            new_scale: the factor to use from now on, in place of this rule.
        """
        if not self._enabled:
            return
        scale, good_steps = self._begun("update")
        if new_scale is not None:
            scale.copy_(new_scale) if isinstance(new_scale, Tensor) else scale.fill_(float(new_scale))
        else:
            founds = [bad.to(scale.device) for state in self._states.values() for bad in state["found"].values()]
            if not founds:
                raise AssertionError("No inf checks were recorded prior to update.")
            found = founds[0]
            for other in founds[1:]:
                found = found.maximum(other)
            into(move_loss_scale.op, (scale, good_steps), found, growth=self._growth_factor,
                 backoff=self._backoff_factor, interval=self._growth_interval)
        self._forget()

    def get_scale(self) -> float:
        """The factor; 1 if not enabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._state is None else float(self._state[0].item())

    def is_enabled(self) -> bool:
        """Whether the scaler scales."""
        return self._enabled

    def get_growth_factor(self) -> float:
        """By what the factor is multiplied when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets by what the factor is multiplied when it grows.

        Args:
            new_factor: more than 1.
        """
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By what the factor is multiplied when it shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets by what the factor is multiplied when it shrinks.

        Args:
            new_factor: less than 1.
        """
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Number of good steps in a row after which the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets the number of good steps in a row after which the factor grows.

        Args:
            new_interval: at least 1.
        """
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._state is None else int(self._state[1].item())

    def state_dict(self) -> dict[str, Any]:
        """The factor, the rule for its changes and the count of good steps, in PyTorch's format; {} if disabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor, "growth_interval": self._growth_interval,
                "_growth_tracker": self._get_growth_tracker()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores a state.

        Args:
            state_dict: what `state_dict` gave.

        Raises:
            RuntimeError: it is empty, as that of a disabled scaler.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled instance "
                               "of GradScaler.")
        self._init_scale, self._init_growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._state is not None:
            self._state[0].fill_(self._init_scale)
            self._state[1].fill_(self._init_growth_tracker)
