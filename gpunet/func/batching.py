"""vmap: a function of one example as a function of a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from gpunet.dispatch import is_tensor
from gpunet.func.trees import leaves_of, rebuilt, spread, structure
from gpunet.ops.join import stack
from gpunet.random import default_generator

__all__ = ["vmap"]

_RANDOMNESS = ("error", "different", "same")


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
         chunk_size: int | None = None) -> Callable[..., Any]:
    """The function that applies `func` to each example of a batch, and stacks the results.

    It calls `func` once for each example: it takes as long as a loop, where PyTorch computes the batch at once. So
    `func` may do what depends on values, which PyTorch's may not. Put together with `grad` it gives each example's
    gradient; `gpunet.privacy.PerSampleGradients` has those of a module's parameters from one backward pass.

    Args:
        func: the function, of tensors or of nested tuples, lists and dictionaries of them.
        in_dims: which dimension of the arguments counts the examples: a number for all, or a tuple with a number, None,
            or a structure of them for each argument. None: each call receives the argument as it is.
        out_dims: where the results have that dimension, likewise. None: the result of the first call is returned.
        randomness: what random numbers in `func` do: "error"; "different" ones for each example; the "same" ones.
        chunk_size: how many examples PyTorch computes at once, which changes nothing here.

    Returns:
        A function of batches. Arguments that it is given by name are passed on as they are.

    Raises:
        ValueError: when it is called: the dimensions do not fit the arguments or the results, or `func` returns
            something else than tensors.
        RuntimeError: `randomness` is something else, or says so.

    Examples:
        >>> gpunet.vmap(gpunet.dot)(gpunet.ones(3, 2), gpunet.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        tensor([ 3.,  7., 11.])
        >>> gpunet.vmap(gpunet.func.grad(lambda w, x: (w * x).sum() ** 2), in_dims=(None, 0))(
        ...     gpunet.tensor([1.0, 1.0]), gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[ 6., 12.],
                [42., 56.]])
    """
    if randomness not in _RANDOMNESS:
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        leaves = leaves_of(args)
        dims = _in_dims(name, in_dims, args, leaves)
        size = next(iter({x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None}))
        results, before = [], default_generator.get_state()
        for i in range(max(size, 1)):  # of no examples the results' shapes are those of zeros
            if randomness == "same":
                default_generator.set_state(before)
            position = default_generator.position()
            given = [x if d is None else x.select(d, i) if size else x.new_zeros(
                [n for k, n in enumerate(x.shape) if k != d % x.ndim]) for x, d in zip(leaves, dims, strict=True)]
            results.append(func(*rebuilt(args, given), **kwargs))
            if randomness == "error" and default_generator.position() != position:
                raise RuntimeError("vmap: called random operation while in randomness error mode. Please either use "
                                   "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                                   "operation out of vmap")
        return _joined(name, results, out_dims, size)

    return wrapper


def _in_dims(name: str, in_dims: Any, args: tuple[Any, ...], leaves: list[Any]) -> list[int | None]:
    """The dimension of each tensor that counts the examples."""
    said = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(f"{said}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure "
                         f"of inputs, got: {type(in_dims)}.")
    if not leaves:
        raise ValueError(f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to "
                         "vmap over a function with no inputs. The latter is unsupported.")
    dims = spread(in_dims, args)
    if dims is None:
        raise ValueError(f"{said}: in_dims is not compatible with the structure of `inputs`. in_dims has structure "
                         f"{structure(in_dims)} but inputs has structure {structure(args)}.")
    sizes = []
    for x, d in zip(leaves, dims, strict=True):
        if d is None:
            continue
        if not is_tensor(x):
            raise ValueError(f"{said}: Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap "
                             "over non-Tensor arguments, please use None as the respective in_dim")
        if not -x.ndim <= d < x.ndim:
            raise ValueError(f"{said}: Got in_dim={d} for some input, but that input is a Tensor of dimensionality "
                             f"{x.ndim} so expected in_dim to satisfy -{x.ndim} <= in_dim < {x.ndim}.")
        sizes.append(x.shape[d])
    if not sizes:
        raise ValueError(f"{said}: at least one input must have a dimension that counts the examples; all are None")
    if len(set(sizes)) > 1:
        raise ValueError("vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                         f"{sizes} for the mapped dimension")
    return dims


def _joined(name: str, results: list[Any], out_dims: Any, size: int) -> Any:
    one = is_tensor(results[0]) and isinstance(out_dims, tuple) and len(out_dims) == 1  # PyTorch takes (0,), too
    dims = spread(out_dims[0] if one else out_dims, results[0])
    if dims is None:
        raise ValueError(f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the "
                         f"structure of `outputs`. out_dims has structure {structure(out_dims)} but outputs has "
                         f"structure {structure(results[0])}.")
    columns = zip(*map(leaves_of, results), strict=True)
    joined = []
    for each, d in zip(columns, dims, strict=True):
        if d is not None and not is_tensor(each[0]):
            raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(each[0])}. Did you "
                             "mean to set out_dims= to None for output?")
        joined.append(each[0] if d is None else stack(each, d) if size else stack(each, d).narrow(d, 0, 0))
    return rebuilt(results[0], joined)
