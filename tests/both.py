"""Programs that run in both libraries: what they return has to be the same.

A program is a function of the library, `gpunet` or `torch`. Its answer is made of tensors, numbers, strings, names of
exceptions, and lists, tuples and dictionaries of these.
"""

from __future__ import annotations

import numpy as np
import pytest

import gpunet


def plain(value):
    """An answer without the library's own types."""
    if hasattr(value, "requires_grad"):
        value = value.detach()
        return ("tensor", str(value.dtype).split(".")[-1], np.asarray(value.tolist(), dtype=np.float64))
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def assert_alike(ours, theirs, tolerance=1e-6):
    """Two answers of `plain`."""
    assert type(ours) is type(theirs), (ours, theirs)
    if isinstance(ours, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), (ours, theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_alike(mine, other, tolerance)
    elif isinstance(ours, np.ndarray):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance)
    else:
        assert ours == theirs


def same_in_both(program, tolerance=1e-6):
    """Runs a program in both libraries; returns gpunet's answer."""
    torch = pytest.importorskip("torch")
    answer = program(gpunet)
    assert_alike(plain(answer), plain(program(torch)), tolerance)
    return answer


def outcome(function, *args, **kwargs):
    """What a call returns, or the class of what it raises."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__


def copy_weights(ours, theirs):
    """Gives a module of PyTorch the weights of one of gpunet."""
    import torch

    theirs.load_state_dict({name: torch.from_numpy(value.numpy().copy()) for name, value in ours.state_dict().items()})
