"""Public names take PyTorch's parameters: the same names, order, kinds and defaults."""

import inspect
import typing

import pytest

from gpunet import (
    accelerator,
    amp,
    autograd,
    backends,
    cuda,
    data,
    devices,
    distributions,
    func,
    nn,
    optim,
    random,
    record,
    settings,
)
from gpunet.utils import checkpoint

torch = pytest.importorskip("torch")

FACES = [(nn, torch.nn), (nn.init, torch.nn.init), (nn.utils, torch.nn.utils), (nn.utils.rnn, torch.nn.utils.rnn),
         (optim, torch.optim), (optim.lr_scheduler, torch.optim.lr_scheduler),
         (optim.swa_utils, torch.optim.swa_utils), (data, torch.utils.data), (distributions, torch.distributions),
         (distributions.constraints, torch.distributions.constraints), (amp, torch.amp), (autograd, torch.autograd),
         (autograd.functional, torch.autograd.functional), (func, torch.func),
         (checkpoint, torch.utils.checkpoint), (random, torch), (devices, torch), (record, torch), (settings, torch),
         (devices.precision, torch), (cuda, torch.cuda), (cuda.amp, torch.cuda.amp), (cuda.nvtx, torch.cuda.nvtx),
         (accelerator, torch.accelerator), (backends.cuda, torch.backends.cuda),
         (backends.cudnn, torch.backends.cudnn), (backends.mkl, torch.backends.mkl),
         (backends.mkldnn, torch.backends.mkldnn), (backends.mps, torch.backends.mps),
         (backends.openmp, torch.backends.openmp), (backends.cpu, torch.backends.cpu)]


def has_signature(member) -> bool:
    """PyTorch's functions in C++ have none; nor have modules, and what is made of a constraint."""
    try:
        inspect.signature(member)
    except (TypeError, ValueError):
        return False
    return True


SHARED = {f"{ours.__name__}.{name}": (getattr(ours, name), getattr(theirs, name)) for ours, theirs in FACES
          for name in ours.__all__ if has_signature(getattr(ours, name)) and has_signature(getattr(theirs, name, None))}

# Name -> why it differs.
EXCEPTIONS = {
    **dict.fromkeys(["gpunet.nn.Sigmoid", "gpunet.nn.LogSigmoid", "gpunet.nn.Tanh", "gpunet.nn.Softsign",
                     "gpunet.nn.Tanhshrink", "gpunet.nn.Softmax2d"],
                    "PyTorch takes any arguments and drops them; here there are none"),
    "gpunet.nn.utils.rnn.PackedSequence": "PyTorch has a default for batch_sizes that cannot be used",
    "gpunet.utils.checkpoint.checkpoint": "preserve_rng_state has a name here, and context_fn None for its default",
    "gpunet.record.compile": "settings of PyTorch's compilers are left out; backend has another default",
    "gpunet.autograd.Function": "PyTorch's takes any arguments, and warns that it is not to be made",
    "gpunet.autograd.backward": "grad_variables, which PyTorch deprecates, is left out",
    **dict.fromkeys(["gpunet.autograd.gradcheck", "gpunet.autograd.gradgradcheck"],
                    "settings for what is not here are left out: forward mode, batches, sparse tensors"),
    **dict.fromkeys(["gpunet.autograd.detect_anomaly", "gpunet.autograd.set_detect_anomaly"],
                    "check_inf is this framework's own"),
    "gpunet.cuda.amp.autocast": "the default dtype is each library's own float16",
    **dict.fromkeys(["gpunet.backends.cudnn.flags", "gpunet.backends.mkldnn.flags"],
                    "a setting that is not given stays as it is; PyTorch's defaults turn some off and TF32 on"),
    "gpunet.data.random_split": "None stands for the default generator, which PyTorch names",
}
METHOD_EXCEPTIONS = {
    **dict.fromkeys(["gpunet.distributions.HalfCauchy.icdf", "gpunet.distributions.HalfNormal.icdf",
                     "gpunet.distributions.constraints.multinomial.check"],
                    "its parameter is `value`, as in the others"),
    "gpunet.nn.Module.forward": "PyTorch's default raises for any arguments",
    "gpunet.nn.Module.to": "device, dtype, non_blocking and memory_format have names here",
    "gpunet.nn.Module.state_dict": "PyTorch still takes positional arguments, which it deprecated in 1.11",
}


def parameters(function) -> list[tuple]:
    """(name, kind, default) of each parameter. Functions as defaults count by their names."""
    listed = list(inspect.signature(function).parameters.values())
    if [p.name for p in listed] == ["args", "kwargs"] and (overloads := typing.get_overloads(function.__init__)):
        listed = list(inspect.signature(overloads[0]).parameters.values())[1:]  # without self
    return [(p.name, p.kind, getattr(p.default, "__name__", p.default)) for p in listed]


@pytest.mark.parametrize("name", SHARED)
def test_parameters_are_pytorchs(name):
    ours, theirs = SHARED[name]
    assert (parameters(ours) == parameters(theirs)) is (name not in EXCEPTIONS), (parameters(ours), parameters(theirs))


def shared_methods():
    for name, (ours, theirs) in SHARED.items():
        if inspect.isclass(ours):
            for method, member in vars(ours).items():
                if inspect.isfunction(member) and not method.startswith("_") and hasattr(theirs, method):
                    yield pytest.param(member, getattr(theirs, method), f"{name}.{method}", id=f"{name}.{method}")


@pytest.mark.parametrize("ours, theirs, name", list(shared_methods()))
def test_parameters_of_methods_are_pytorchs(ours, theirs, name):
    assert (parameters(ours) == parameters(theirs)) is (name not in METHOD_EXCEPTIONS), (
        parameters(ours), parameters(theirs))
