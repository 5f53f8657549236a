"""Pruning: parameters of which some elements are held at 0 by a mask.

A pruned parameter `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`; `weight` is their product,
computed before each call. `remove` makes it a plain parameter again.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar

from gpunet.engine.modes import no_grad
from gpunet.nn.module import Module
from gpunet.nn.utils.parameters import parameters_to_vector
from gpunet.ops.creation import ones_like
from gpunet.ops.norms import vector_norm
from gpunet.ops.random import randperm
from gpunet.tensor import Tensor

__all__ = ["BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer",
           "RandomStructured", "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned",
           "l1_unstructured", "ln_structured", "random_structured", "random_unstructured", "remove"]

M = TypeVar("M", bound=Module)
Amount = int | float


class BasePruningMethod:
    """Base of the ways to prune. A subclass defines `compute_mask(t, default_mask)`, and says by PRUNING_TYPE how it
    goes together with earlier masks: "unstructured" and "structured" look at what is left, "global" at everything.

    Examples:
        >>> class EveryOther(nn.utils.prune.BasePruningMethod):
        ...     PRUNING_TYPE = "unstructured"
        ...     def compute_mask(self, t, default_mask):
        ...         mask = default_mask.clone()
        ...         mask.view(-1)[::2] = 0
        ...         return mask
        >>> layer = nn.Linear(2, 2)
        >>> _ = EveryOther.apply(layer, "bias")
        >>> layer.bias_mask
        tensor([0., 1.])
    """

    PRUNING_TYPE: ClassVar[str] = "unstructured"
    _tensor_name = ""

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask, which a subclass computes.

        Args:
            t: what decides: the parameter, or its importance.
            default_mask: the mask so far.

        Returns:
            Tensor of 0 and 1 of t's shape.
        """
        raise NotImplementedError(f"{type(self).__name__}: define compute_mask(t, default_mask)")

    def apply_mask(self, module: Module) -> Tensor:
        """The pruned tensor.

        Args:
            module: the module.

        Returns:
            The product of the original and the mask.
        """
        original = getattr(module, self._tensor_name + "_orig")
        return getattr(module, self._tensor_name + "_mask").to(original.dtype) * original

    @classmethod
    def apply(cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None,
              **kwargs: Any) -> BasePruningMethod:
        """Prunes a parameter, also one that is pruned already.

        Args:
            module: the module, which is changed.
            name: the parameter's name.
            *args: what the class is made with.
            importance_scores: what decides instead of the parameter itself.
            **kwargs: what the class is made with.

        Returns:
            The method, or a container of it and the earlier ones.
        """
        earlier = next((hook for hook in module._hooks_of("_forward_pre_hooks")
                        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name), None)
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        if earlier is not None:
            _unhook(module, earlier)
            container = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            container.add_pruning_method(method)
            method = container
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError("prune: importance_scores must have the parameter's shape "
                                 f"{tuple(original.shape)}, got {tuple(scores.shape)}")
        if earlier is None:
            parameter = module._parameters[name]
            del module._parameters[name]
            module.register_parameter(name + "_orig", parameter)
            before = ones_like(original)
        else:
            before = getattr(module, name + "_mask").detach().clone()
        with no_grad():
            mask = method.compute_mask(scores.detach(), before)
        module.register_buffer(name + "_mask", mask)
        object.__setattr__(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """A tensor with elements set to 0; nothing is registered.

        Args:
            t: the tensor.
            default_mask: the mask so far; None for ones.
            importance_scores: what decides instead of the tensor itself.

        Returns:
            The product of the tensor and the mask.
        """
        before = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(t if importance_scores is None else importance_scores, before)

    def remove(self, module: Module) -> None:
        """Makes the pruned tensor a plain parameter.

        Args:
            module: the module, which is changed.
        """
        name = self._tensor_name
        parameter = module._parameters.pop(name + "_orig")
        mask = module._buffers.pop(name + "_mask")
        with no_grad():
            parameter.data = parameter.detach() * mask.to(parameter.dtype)
        module.__dict__.pop(name, None)
        module.register_parameter(name, parameter)


def _unhook(module: Module, method: BasePruningMethod) -> None:
    hooks = module.__dict__["_forward_pre_hooks"]
    for key in [key for key, hook in hooks.items() if hook is method]:
        del hooks[key]


class PruningContainer(BasePruningMethod):
    """Several ways to prune one parameter, one after another; made when a pruned parameter is pruned again.

    Args:
        args: the methods.

    Examples:
        >>> layer = nn.utils.prune.random_unstructured(nn.Linear(2, 2), "weight", 1)
        >>> layer = nn.utils.prune.l1_unstructured(layer, "weight", 1)
        >>> int(layer.weight_mask.sum())
        2
    """

    def __init__(self, *args: BasePruningMethod) -> None:
        self._methods: tuple[BasePruningMethod, ...] = ()
        for method in args:
            self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Adds a method at the end.

        Args:
            method: the method, for the same parameter.

        Raises:
            TypeError: it is no method.
            ValueError: it is for another parameter.
        """
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"prune: {type(method).__name__} is not a BasePruningMethod")
        if method._tensor_name != self._tensor_name:
            raise ValueError(f"prune: the container is for '{self._tensor_name}', the method for "
                             f"'{method._tensor_name}'")
        self._methods += (method,)

    def __len__(self) -> int:
        return len(self._methods)

    def __iter__(self) -> Any:
        return iter(self._methods)

    def __getitem__(self, index: int) -> BasePruningMethod:
        return self._methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask so far with what the last method takes of what is left."""
        method, mask = self._methods[-1], default_mask.to(t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            left = mask == 1
            values = t[left]
            part = method.compute_mask(values, ones_like(values))
            mask = mask.clone()
            mask[left] = part.to(mask.dtype)
            return mask
        if method.PRUNING_TYPE == "structured":
            dim = method.dim % t.ndim  # pyright: ignore[reportAttributeAccessIssue]
            others = tuple(i for i in range(t.ndim) if i != dim)
            left = (mask.abs().sum(others) if others else mask.abs()).nonzero().reshape(-1)
            mask = mask.clone()
            part = method.compute_mask(t.index_select(dim, left), mask.index_select(dim, left))
            return mask.index_copy(dim, left, part.to(mask.dtype))
        return method.compute_mask(t, mask)


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the mask.

    Examples:
        >>> nn.utils.prune.Identity().prune(gpunet.ones(2))
        tensor([1., 1.])
    """

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask so far."""
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prunes by a mask that is given.

    Args:
        mask: tensor of 0 and 1.

    Examples:
        >>> nn.utils.prune.CustomFromMask(gpunet.tensor([1, 0])).prune(gpunet.ones(2))
        tensor([1., 0.])
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask so far, and the given one."""
        return default_mask * self.mask.to(default_mask.dtype)


class _Unstructured(BasePruningMethod):
    """Base of those that prune single elements."""

    def __init__(self, amount: Amount) -> None:
        _check_amount(amount)
        self.amount = amount

    def chosen(self, t: Tensor, count: int) -> Tensor:
        """The places of the elements to prune in the flattened tensor."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask so far without the chosen elements."""
        count = _count(self.amount, t.numel())
        if not count:
            return default_mask.clone()
        flat = default_mask.clone().reshape(-1)
        return flat.index_fill(0, self.chosen(t, count), 0).reshape(default_mask.shape)


class RandomUnstructured(_Unstructured):
    """Prunes random elements.

    Args:
        amount: how many, or, between 0 and 1, which fraction.

    Examples:
        >>> nn.utils.prune.RandomUnstructured(0.5).prune(gpunet.ones(4)).sum()
        tensor(2.)
    """

    def chosen(self, t: Tensor, count: int) -> Tensor:
        """Random places."""
        return randperm(t.numel(), device=t.device)[:count]


class L1Unstructured(_Unstructured):
    """Prunes the elements that are nearest to 0.

    Args:
        amount: how many, or, between 0 and 1, which fraction.

    Examples:
        >>> nn.utils.prune.L1Unstructured(1).prune(gpunet.tensor([3.0, -1.0, 2.0]))
        tensor([3., -0., 2.])
    """

    def chosen(self, t: Tensor, count: int) -> Tensor:
        """The places of the smallest."""
        return t.abs().reshape(-1).topk(count, largest=False).indices


class _Structured(BasePruningMethod):
    """Base of those that prune whole slices along a dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Amount, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def chosen(self, t: Tensor, count: int) -> Tensor:
        """The slices to prune."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask so far without the chosen slices."""
        if t.ndim <= 1:
            raise ValueError(f"prune: {type(self).__name__} prunes slices of tensors of at least 2 dimensions, got "
                             f"shape {tuple(t.shape)}")
        if not -t.ndim <= self.dim < t.ndim:
            raise IndexError(f"prune: a tensor of shape {tuple(t.shape)} has no dimension {self.dim}")
        count = _count(self.amount, t.shape[self.dim])
        if not count:
            return default_mask
        return default_mask.index_fill(self.dim, self.chosen(t, count), 0)


class RandomStructured(_Structured):
    """Prunes random slices along a dimension.

    Args:
        amount: how many, or, between 0 and 1, which fraction.
        dim: the dimension.

    Examples:
        >>> nn.utils.prune.RandomStructured(1, 0).prune(gpunet.ones(2, 3)).sum()
        tensor(3.)
    """

    def chosen(self, t: Tensor, count: int) -> Tensor:
        """Random slices."""
        return randperm(t.shape[self.dim], device=t.device)[:count]


class LnStructured(_Structured):
    """Prunes the slices along a dimension that have the smallest norm.

    Args:
        amount: how many, or, between 0 and 1, which fraction.
        n: the order of the norm.
        dim: the dimension.

    Examples:
        >>> nn.utils.prune.LnStructured(1, 2, 0).prune(gpunet.tensor([[1.0, 1.0], [2.0, 2.0]]))
        tensor([[0., 0.],
                [2., 2.]])
    """

    def __init__(self, amount: Amount, n: float | str, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def chosen(self, t: Tensor, count: int) -> Tensor:
        """The slices of the smallest norm."""
        others = tuple(i for i in range(t.ndim) if i != self.dim % t.ndim)
        if self.n == "fro":
            order = 2.0
        else:
            order = float(self.n)
        return vector_norm(t, order, others).topk(count, largest=False).indices


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"prune: amount must be a number, got {amount!r}")
    if amount < 0 or not isinstance(amount, numbers.Integral) and float(amount) > 1:
        raise ValueError(f"prune: amount={amount} should be a fraction from 0 to 1, or a whole number not below 0")


def _count(amount: Amount, size: int) -> int:
    """How many of `size` are pruned."""
    if isinstance(amount, numbers.Integral):
        if amount > size:
            raise ValueError(f"prune: amount={amount} should not be larger than the number of what there is to prune, "
                             f"{size}")
        return int(amount)
    return round(amount * size)


# ---- functions -----------------------------------------------------------------------------------------------------


def identity(module: M, name: str) -> M:
    """Makes a mask of ones for a parameter, and prunes nothing.

    Args:
        module: the module, which is changed.
        name: the parameter's name.

    Returns:
        The module.

    Examples:
        >>> nn.utils.prune.identity(nn.Linear(1, 2), "bias").bias_mask
        tensor([1., 1.])
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: Amount) -> M:
    """Prunes random elements of a parameter.

    Args:
        module: the module, which is changed.
        name: the parameter's name.
        amount: how many, or, between 0 and 1, which fraction.

    Returns:
        The module.

    Examples:
        >>> nn.utils.prune.random_unstructured(nn.Linear(2, 2), "weight", 0.5).weight_mask.sum()
        tensor(2.)
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: M, name: str, amount: Amount, importance_scores: Tensor | None = None) -> M:
    """Prunes the elements of a parameter that are nearest to 0.

    Args:
        module: the module, which is changed.
        name: the parameter's name.
        amount: how many, or, between 0 and 1, which fraction.
        importance_scores: what decides instead of the parameter itself.

    Returns:
        The module.

    Examples:
        >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(2, 2), "weight", 1)
        >>> sorted(layer.state_dict())
        ['bias', 'weight_mask', 'weight_orig']
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: Amount, dim: int) -> M:
    """Prunes random slices of a parameter.

    Args:
        module: the module, which is changed.
        name: the parameter's name.
        amount: how many, or, between 0 and 1, which fraction.
        dim: the dimension along which the slices lie.

    Returns:
        The module.

    Examples:
        >>> nn.utils.prune.random_structured(nn.Linear(2, 3), "weight", 1, 0).weight_mask.sum()
        tensor(4.)
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module: M, name: str, amount: Amount, n: float | str, dim: int,
                  importance_scores: Tensor | None = None) -> M:
    """Prunes the slices of a parameter that have the smallest norm.

    Args:
        module: the module, which is changed.
        name: the parameter's name.
        amount: how many, or, between 0 and 1, which fraction.
        n: the order of the norm.
        dim: the dimension along which the slices lie.
        importance_scores: what decides instead of the parameter itself.

    Returns:
        The module.

    Examples:
        >>> nn.utils.prune.ln_structured(nn.Linear(2, 3), "weight", 1, 2, 0).weight_mask.sum()
        tensor(4.)
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Prunes a parameter by a mask.

    Args:
        module: the module, which is changed.
        name: the parameter's name.
        mask: tensor of 0 and 1 of the parameter's shape.

    Returns:
        The module.

    Examples:
        >>> nn.utils.prune.custom_from_mask(nn.Linear(1, 2), "bias", gpunet.tensor([0, 1])).bias_mask
        tensor([0., 1.])
    """
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters: Iterable[tuple[Module, str]], pruning_method: type[BasePruningMethod],
                        importance_scores: dict[tuple[Module, str], Tensor] | None = None, **kwargs: Any) -> None:
    """Prunes several parameters as if they were one.

    Args:
        parameters: (module, name) pairs.
        pruning_method: a class of type "unstructured", such as L1Unstructured.
        importance_scores: by (module, name), what decides instead of the parameter itself.
        **kwargs: what the class is made with, such as `amount`.

    Raises:
        TypeError: parameters are no pairs, or the method is structured.

    Examples:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
        >>> places = [(model[0], "weight"), (model[1], "weight")]
        >>> nn.utils.prune.global_unstructured(places, nn.utils.prune.L1Unstructured, amount=0.5)
        >>> sum(int(layer.weight_mask.sum()) for layer in model)
        6
    """
    places = list(parameters)
    scores = importance_scores or {}
    if not all(isinstance(each, Sequence) and len(each) == 2 for each in places):
        raise TypeError("global_unstructured: parameters must be (module, name) pairs")
    found = [scores[place] if place in scores else getattr(*place) for place in places]
    masks = [getattr(module, name + "_mask", ones_like(getattr(module, name))) for module, name in places]
    method: Any = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError("global_unstructured: only unstructured methods are supported, got "
                        f"{pruning_method.__name__}")
    container = PruningContainer()
    container._tensor_name = method._tensor_name = "temp"
    container.add_pruning_method(method)
    with no_grad():
        whole = container.compute_mask(parameters_to_vector(found), parameters_to_vector(masks))
    start = 0
    for (module, name), scored in zip(places, found, strict=True):
        size = scored.numel()
        custom_from_mask(module, name, whole[start : start + size].reshape(scored.shape))
        start += size


def remove(module: M, name: str) -> M:
    """Makes a pruned parameter a plain one, with its zeros, which may then change.

    Args:
        module: the module, which is changed.
        name: the parameter's name.

    Returns:
        The module.

    Raises:
        ValueError: the parameter is not pruned.

    Examples:
        >>> layer = nn.utils.prune.l1_unstructured(nn.Linear(2, 2), "weight", 1)
        >>> sorted(nn.utils.prune.remove(layer, "weight").state_dict())
        ['bias', 'weight']
    """
    for hook in module._hooks_of("_forward_pre_hooks"):
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            _unhook(module, hook)
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Module) -> bool:
    """Whether a module, or one below it, has a pruned parameter.

    Args:
        module: the module.

    Returns:
        True if it has.

    Examples:
        >>> nn.utils.prune.is_pruned(nn.Linear(2, 2))
        False
    """
    return any(isinstance(hook, BasePruningMethod) for inner in module.modules()
               for hook in inner._hooks_of("_forward_pre_hooks"))
