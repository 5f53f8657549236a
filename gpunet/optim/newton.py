"""NewtonCG: Newton's method on Hessian-vector products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gpunet.engine.differentiate import grad
from gpunet.engine.modes import enable_grad, no_grad
from gpunet.optim.line_search import Point, armijo, strong_wolfe
from gpunet.optim.optimizer import ParamsT
from gpunet.optim.whole import Whole, dot, largest
from gpunet.tensor import Tensor


class NewtonCG(Whole):
    """The line search Newton-CG method, also called truncated Newton: each step solves `H p = -g` by conjugate
    gradients, which need only products of the Hessian with vectors, and goes along p as far as a line search says. The
    Hessian itself is never formed. PyTorch has no such optimizer.

    The equations are solved to a residual of `min(0.5, sqrt(|g|)) * |g|`: roughly far from the minimum, and so
    precisely near it that convergence is superlinear. Where the conjugate gradients meet a direction of negative
    curvature they stop; the step is what they have found so far, or -g if that is nothing. A call of `step` stops early
    where no element of the gradient exceeds tolerance_grad, or where neither parameters nor loss change by more than
    tolerance_change.

    Source: Nocedal and Wright, "Numerical Optimization", 2006, algorithm 7.1.

    Args:
        params: tensors, or (name, tensor) pairs; one group.
        lr: the length that the line search tries first; 1 is Newton's.
        max_iter: Newton steps in a call of `step`.
        max_cg: products with the Hessian for each; None for 20 times the number of elements.
        damping: added to the Hessian's diagonal, for shorter steps.
        tolerance_grad: see above.
        tolerance_change: see above.
        line_search_fn: "strong_wolfe" or "armijo".

    Raises:
        ValueError: an option is out of range, or several parameter groups.

    Examples:
        >>> p = nn.Parameter(gpunet.tensor([1.0, 2.0]))
        >>> optimizer = optim.NewtonCG([p])
        >>> loss = optimizer.step(lambda: ((p - 3) ** 4).sum())
        >>> gpunet.allclose(p, gpunet.tensor(3.0), atol=0.1)
        True
    """

    def __init__(self, params: ParamsT, lr: float | Tensor = 1, max_iter: int = 20, max_cg: int | None = None,
                 damping: float = 0.0, tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
                 line_search_fn: str = "strong_wolfe") -> None:
        if damping < 0:
            raise ValueError(f"Invalid damping value: {damping}")
        if line_search_fn not in ("strong_wolfe", "armijo"):
            raise ValueError(f"NewtonCG: line_search_fn must be 'strong_wolfe' or 'armijo', got {line_search_fn!r}")
        super().__init__(params, {"lr": lr, "max_iter": max_iter, "max_cg": max_cg, "damping": damping,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
                                  "line_search_fn": line_search_fn})

    @no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Does up to max_iter Newton steps.

        Args:
            closure: computes the loss in operations with second derivatives and returns it. Unlike that of LBFGS it
                does not call backward(): the graph is differentiated twice here. `.grad` is left alone.

        Returns:
            The loss before the first step.

        Raises:
            RuntimeError: the loss was not computed from the parameters, or backward() was called.
        """
        group, state, first = self.param_groups[0], self._own_state, None
        for name in ("n_iter", "func_evals", "hessian_products"):
            state.setdefault(name, 0)
        for _ in range(group["max_iter"]):
            loss, slopes = self._evaluate(closure, second=True)
            first = loss.detach() if first is None else first
            gradient = self._flat([None if g is None else g.detach() for g in slopes])
            if largest(gradient) <= group["tolerance_grad"]:
                break
            direction = self._solve(slopes, gradient, group)
            state["n_iter"] += 1
            start = Point(0.0, loss.item(), gradient, dot(gradient, direction))
            point = self._search(closure, start, direction, group)
            self._move(point.step, direction)
            if (largest(direction) * point.step <= group["tolerance_change"]
                    or abs(point.loss - start.loss) < group["tolerance_change"]):
                break
        return first

    def _evaluate(self, closure: Callable[[], Tensor], second: bool) -> tuple[Tensor, Any]:
        self._own_state["func_evals"] += 1
        with enable_grad():
            loss = closure()
            if loss._node is None:
                raise RuntimeError("NewtonCG: the closure must return a loss that was computed from the parameters, "
                                   "without calling backward()")
            try:
                return loss, grad(loss, self._parameters, create_graph=second, allow_unused=True)
            except RuntimeError as error:
                if "a second time" not in str(error):
                    raise
                raise RuntimeError("NewtonCG: the closure must not call backward(), which frees the graph that is "
                                   "differentiated twice here; it only computes and returns the loss") from error

    def _solve(self, slopes: Any, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        """A direction of descent: H p = -g by conjugate gradients, until they are near enough or meet negative
        curvature."""
        size = gradient.dot(gradient).sqrt().item()
        enough = min(0.5, math.sqrt(size)) * size
        direction, residual = gradient * 0, gradient.clone()
        search, squared = -gradient, size * size
        for i in range(20 * gradient.numel() if group["max_cg"] is None else group["max_cg"]):
            product = self._hessian_times(slopes, search)
            if group["damping"]:
                product.add_(search, alpha=group["damping"])
            curvature = dot(search, product)
            if curvature <= 0:
                return search if i == 0 else direction
            length = squared / curvature
            direction.add_(search, alpha=length)
            residual.add_(product, alpha=length)
            before, squared = squared, dot(residual, residual)
            if math.sqrt(squared) < enough:
                break
            search.mul_(squared / before).sub_(residual)
        return direction

    def _hessian_times(self, slopes: Any, vector: Tensor) -> Tensor:
        """The gradient of gradient . vector."""
        self._own_state["hessian_products"] += 1
        parts, start = [], 0
        for p in self._parameters:
            parts.append(vector[start : start + p.numel()].reshape(p.shape))
            start += p.numel()
        pairs = [(g, v) for g, v in zip(slopes, parts, strict=True) if g is not None and g._requires_grad]
        if not pairs:  # the loss is linear
            return vector * 0
        found = grad([g for g, _ in pairs], self._parameters, [v for _, v in pairs], retain_graph=True,
                     allow_unused=True)
        return self._flat(found)

    def _search(self, closure: Callable[[], Tensor], start: Point, direction: Tensor, group: dict[str, Any]) -> Point:
        def evaluate() -> tuple[float, Tensor]:
            loss, slopes = self._evaluate(closure, second=False)
            return loss.item(), self._flat(slopes)

        along = self._along(direction, evaluate)
        if group["line_search_fn"] == "armijo":
            return armijo(along, start, group["lr"])
        return strong_wolfe(along, start, group["lr"], longest=largest(direction))
