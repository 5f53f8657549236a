"""Every public function's docstring names its parameters, and its example does what it shows."""

import doctest
import inspect

import pytest

import gpunet
from tests.face.table import FUNCTIONS

# A method is documented with its function; in-place forms refer to it.
DOCUMENTED = [f for f in FUNCTIONS if f.place != "Tensor" or not f.name.endswith("_") and getattr(gpunet, f.name, None)
              is not f.of(gpunet)]
pytestmark = pytest.mark.parametrize("public", DOCUMENTED, ids=str)


def test_every_parameter_is_named(public):
    function = public.of(gpunet)
    text = inspect.getdoc(function)
    unnamed = [name for name in inspect.signature(function).parameters
               if name != "self" and f"\n    {name}: " not in text]
    assert not unnamed, f"the docstring does not say what {', '.join(unnamed)} is"
    assert "\nReturns:\n" in text


def test_its_example_does_what_it_shows(public):
    function = public.of(gpunet)
    names = {"gpunet": gpunet, "F": gpunet.nn.functional}
    found = doctest.DocTestFinder(recurse=False).find(function, public.name, globs=names)
    examples = [test for test in found if test.examples]
    assert examples, "the docstring has no example"
    shown: list[str] = []
    for test in examples:
        failures = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=shown.append).failed
        assert not failures, "".join(shown)
