"""The examples in gpunet.ptx's docstrings."""

import doctest

import numpy
import pytest

import gpunet
from gpunet import ptx
from gpunet.ptx import errors, frontends, function, launch, program, reader


@pytest.mark.parametrize("module", [errors, frontends, function, launch, program, reader],
                         ids=lambda module: module.__name__)
def test_examples(module, compiler):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    finder = doctest.DocTestFinder()
    members = {name: each for name, each in vars(module).items() if getattr(each, "__module__", None) == "gpunet.ptx"}
    found = finder.find(module, globs={"gpunet": gpunet, "numpy": numpy, "ptx": ptx})
    for name, member in members.items():
        found += finder.find(member, name, globs={"gpunet": gpunet, "numpy": numpy})
    assert any(each.examples for each in found)
    for each in found:
        assert doctest.DocTestRunner(optionflags=options).run(each).failed == 0
