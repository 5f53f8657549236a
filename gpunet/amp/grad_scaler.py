"""GradScaler: gradients of float16 that do not vanish, and steps that are left out where they overflow."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from gpunet import devices
from gpunet.dtypes import float16, float32, int32
from gpunet.engine.modes import no_grad
from gpunet.ops.compare import where
from gpunet.ops.creation import full
from gpunet.optim.optimizer import Optimizer
from gpunet.tensor import Tensor

_READY, _UNSCALED, _STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Multiplies the loss by a factor, so that small gradients are not 0 in float16, and divides the gradients by it
    before the step (Micikevicius et al., "Mixed precision training", 2018).

        scaler = GradScaler("cuda")
        with autocast("cuda"):
            loss = loss_function(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)     # left out if a gradient is infinite or NaN
        scaler.update()            # then the factor shrinks; after growth_interval good steps it grows

    device: where the gradients are: "cuda", "cpu" or "sim"; without a GPU, "cuda" warns and does nothing, like
    enabled=False. The host looks at whether there are infinities in every step, so the step cannot be recorded.
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
                 backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True) -> None:
        if enabled and device == "cuda":
            try:
                devices.get("cuda")
            except RuntimeError:
                warnings.warn("gpunet.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
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
        self._scale: Tensor | None = None  # made where the first loss is
        self._growth_tracker: Tensor | None = None
        self._forget()

    def _forget(self) -> None:
        # optimizer's id -> where it stands, and for each device whether an infinity was found
        self._states: dict[int, dict[str, Any]] = defaultdict(lambda: {"stage": _READY, "found": {}})

    def scale(self, outputs: Tensor | Iterable[Tensor]):
        """The loss, or the losses in a list or tuple, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._scale = full((), self._init_scale, dtype=float32, device=outputs.device)
                self._growth_tracker = full((), self._init_growth_tracker, dtype=int32, device=outputs.device)
            return outputs * self._scale.to(outputs.device)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _check_begun(self, name: str) -> None:
        if self._scale is None:
            raise AssertionError(f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                                 "scaler.scale(loss or outputs) earlier in the iteration.")

    @no_grad()
    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients of the optimizer's parameters by the factor, for those who look at them (or clip them)
        before `step`, which does it otherwise. Once a step."""
        if not self._enabled:
            return
        self._check_begun("unscale_")
        state = self._states[id(optimizer)]
        if state["stage"] is _UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is _STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = self._scale.double().reciprocal().float()
        for p in (p for group in optimizer.param_groups for p in group["params"]):
            if p.grad is None:
                continue
            if p.grad.dtype is float16:
                raise ValueError("Attempting to unscale FP16 gradients.")
            p.grad.mul_(inverse.to(p.grad.device, p.grad.dtype))
            bad = ~p.grad.isfinite().all()
            found = state["found"]
            found[p.grad.device] = found[p.grad.device] | bad if p.grad.device in found else bad
        state["stage"] = _UNSCALED

    def step(self, optimizer: Optimizer, *args, **kwargs):
        """`optimizer.step(*args, **kwargs)` with unscaled gradients, or nothing (None) if one is infinite or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_begun("step")
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
        """Shrinks the factor if the last step found an infinity, grows it if growth_interval steps have not; or sets
        it to `new_scale`."""
        if not self._enabled:
            return
        self._check_begun("update")
        if new_scale is not None:
            self._scale.copy_(new_scale) if isinstance(new_scale, Tensor) else self._scale.fill_(float(new_scale))
        else:
            founds = [bad.to(self._scale.device) for state in self._states.values() for bad in state["found"].values()]
            if not founds:
                raise AssertionError("No inf checks were recorded prior to update.")
            found = founds[0]
            for other in founds[1:]:
                found = found | other
            good = where(found, 0, self._growth_tracker + 1)
            grows = good == self._growth_interval
            grown = self._scale * self._growth_factor
            grown = where(grown.isfinite(), grown, self._scale)
            self._scale.copy_(where(found, self._scale * self._backoff_factor, where(grows, grown, self._scale)))
            self._growth_tracker.copy_(where(grows, 0, good))
        self._forget()

    def get_scale(self) -> float:
        """The factor; 1 if not enabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def get_growth_factor(self) -> float:
        """By how much the factor grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets by how much the factor grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By how much the factor shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets by how much the factor shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets after how many good steps the factor grows."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item()

    def state_dict(self) -> dict[str, Any]:
        """The factor, how it changes and the count of good steps: PyTorch's format; empty if not enabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor, "growth_interval": self._growth_interval,
                "_growth_tracker": self._get_growth_tracker()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled instance "
                               "of GradScaler.")
        self._init_scale, self._init_growth_tracker = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)
