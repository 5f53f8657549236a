"""Layers and optimizers beside PyTorch's, on the inputs of its databases; see tests/opinfo.py, which runs them as
`nn.Linear` and `optim.SGD`."""

from __future__ import annotations

import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

import gpunet
from tests.opinfo import (
    TimeOut,
    Unsupported,
    described,
    difference,
    gradient_differences,
    leaves,
    limit,
    mapped,
    ours,
    tensors,
)

STEPS = 5


def subjects():
    """(name, the function that gives its differences) for all layers and optimizers that gpunet has."""
    for info in module_db:
        mine = getattr(gpunet.nn, info.module_cls.__name__, None)
        if mine is not None:
            yield f"nn.{mine.__name__}", lambda types, info=info, mine=mine: module_differences(info, mine, types)
    for info in optim_db:
        mine = getattr(gpunet.optim, info.optim_cls.__name__, None)
        if mine is not None:
            yield f"optim.{mine.__name__}", lambda types, info=info, mine=mine: optimizer_differences(info, mine)


# ---- layers


def module_differences(info, mine, types):
    for name in types:
        dtype = getattr(torch, name)
        if dtype not in info.dtypes or not dtype.is_floating_point:
            continue
        for training in (True, False):
            options = dict(device="cpu", dtype=dtype, requires_grad=True, training=training)
            for k, sample in enumerate(info.module_inputs_func(info, **options)):
                where = f"{name} {k} {'train' if training else 'eval'} {sample.desc}"
                try:
                    with limit():
                        for d in layer_differences(info, mine, sample, dtype, training):
                            yield where, d
                except Unsupported:
                    pass
                except TimeOut as error:
                    yield where, str(error)
    if info.module_error_inputs_func is None:
        return
    options = dict(device="cpu", dtype=torch.float32, requires_grad=False, training=True)
    for k, e in enumerate(info.module_error_inputs_func(info, **options)):
        given, expected = e.module_error_input, f"{e.error_type.__name__}: {e.error_regex[:90]}"
        where = f"error {k}"
        try:
            args, options = arguments(given.constructor_input)
            if e.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
                mine(*args, **options)
            else:
                module = mine(*args, **options)
                args, options = arguments(given.forward_input)
                module(*args, **options)
            yield where, f"no error; PyTorch: {expected}"
        except (Unsupported, e.error_type):
            pass
        except Exception as error:
            yield where, f"{described(error)}, not {expected}"


def arguments(given):
    return mapped(ours, (given.args, given.kwargs))


def without_dropout(module):
    for part in module.modules():
        if type(part).__name__.startswith("Dropout"):
            part.p = 0.0
        elif isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.0


def layer_differences(info, mine, sample, dtype, training):
    given = sample.constructor_input
    args, options = arguments(given)
    theirs = info.module_cls(*given.args, **given.kwargs).to(dtype).train(training)
    try:
        module = mine(*args, **options).to(ours(dtype)).train(training)
    except Exception as error:
        yield f"constructor: {described(error)}"
        return
    without_dropout(module), without_dropout(theirs)
    if repr(module) != repr(theirs).replace("NonDynamicallyQuantizable", ""):
        yield f"repr: {module!r}, not {theirs!r}"
    if hasattr(theirs, "initialize_parameters"):  # lazy: the first call makes the parameters
        of_ours = mapped(ours, (sample.forward_input.args, sample.forward_input.kwargs))
        theirs(*sample.forward_input.args, **sample.forward_input.kwargs), module(*of_ours[0], **of_ours[1])
    have = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    wanted = {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    if list(have.items()) != list(wanted.items()):
        yield f"state_dict: {have}, not {wanted}"
        return
    module.load_state_dict(mapped(ours, dict(theirs.state_dict())))
    forward = mapped(lambda x: x.detach().requires_grad_(x.requires_grad) if isinstance(x, torch.Tensor) else x,
                     (sample.forward_input.args, sample.forward_input.kwargs))
    in_ours = mapped(ours, forward)
    try:
        expected = theirs(*forward[0], **forward[1])
    except Exception:  # the database has inputs that are wrong for some types
        return
    try:
        found = module(*in_ours[0], **in_ours[1])
    except Exception as error:
        yield f"forward: {described(error)}"
        return
    found, expected = leaves(found), leaves(expected)
    if len(found) != len(expected):
        yield f"{len(found)} results, not {len(expected)}"
        return
    for k, (a, b) in enumerate(zip(found, expected, strict=True)):
        if d := difference(a, b):
            yield f"output {k}: {d}"
            return
    inputs = [*zip(tensors(in_ours), tensors(forward), strict=True),
              *zip(module.parameters(), theirs.parameters(), strict=True)]
    yield from gradient_differences(None, found, expected, inputs, dtype == torch.float64 and info.supports_gradgrad)
    for name, value in theirs.state_dict().items():
        if d := difference(module.state_dict()[name], value):
            yield f"{name} after a call: {d}"


# ---- optimizers


def optimizer_differences(info, mine):
    for k, sample in enumerate(info.optim_inputs_func(device="cpu")):
        where = f"float64 {k} {sample.kwargs}"
        try:
            for d in steps_differences(info, mine, sample):
                yield where, d
        except Unsupported:
            pass
    for k, e in enumerate(info.optim_error_inputs_func(device="cpu", dtype=torch.float32)):
        given, expected = e.optimizer_error_input, f"{e.error_type.__name__}: {e.error_regex[:90]}"
        where = f"error {k} {given.desc} {given.kwargs}"
        try:
            made = mine(mapped(as_parameter, given.params), **mapped(ours, given.kwargs))
            if e.error_on != OptimizerErrorEnum.CONSTRUCTION_ERROR:
                made.step()
            yield where, f"no error; PyTorch: {expected}"
        except (Unsupported, e.error_type):
            pass
        except Exception as error:
            yield where, f"{described(error)}, not {expected}"


def as_parameter(value):
    made = ours(value)
    return gpunet.nn.Parameter(made) if isinstance(value, torch.nn.Parameter) else made


def steps_differences(info, mine, sample):
    """The parameters after some steps down a valley, and the names of the state."""
    torch.manual_seed(0)
    second = (3, 1) if info.optim_cls is torch.optim.Muon else (3,)  # Muon takes no vectors
    start = [torch.randn(shape, dtype=torch.float64) for shape in ((4, 3), second)]
    theirs = [torch.nn.Parameter(p.clone()) for p in start]
    own = [gpunet.nn.Parameter(ours(p)) for p in start]
    expected = info.optim_cls(theirs, **sample.kwargs)
    try:
        found = mine(own, **mapped(ours, sample.kwargs))
    except Exception as error:
        yield described(error)
        return

    def closure(optimizer, parameters):
        def loss():
            optimizer.zero_grad()
            matrix, vector = parameters
            value = ((matrix * matrix).sum(1) - 1).pow(2).sum() + (matrix @ vector).exp().sum()
            value.backward()
            return value

        return loss

    for n in range(STEPS):
        expected.step(closure(expected, theirs))
        try:
            found.step(closure(found, own))
        except Exception as error:
            yield f"step {n}: {described(error)}"
            return
        for a, b in zip(own, theirs, strict=True):
            if d := difference(a, b, tolerance=(1e-6, 1e-6)):
                yield f"after step {n + 1}: {d}"
                return
    for part in ("param_groups", "state"):
        have, wanted = (names_in(optimizer.state_dict()[part]) for optimizer in (found, expected))
        if have != wanted:
            yield f"state_dict: {part} has {sorted(have - wanted)}, not {sorted(wanted - have)}"


def names_in(part) -> set:
    return {name for group in (part.values() if isinstance(part, dict) else part) for name in group}
