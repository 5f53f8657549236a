"""The tables of docs/from-pytorch.md are true: what they say is here is here, and what is absent is absent."""

import re

import pytest

import gpunet
from tests.compat.names import ROOT
from tests.compat.test_names import find

PAGE = (ROOT / "docs" / "from-pytorch.md").read_text()


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]


def rows(title):
    """(names of the first column, text of the second) of a section's table."""
    for first, second in re.findall(r"^\| (`.*?) \| (.*) \|$", section(title), re.M):
        yield re.findall(r"`([\w.]+)`", first), second


DIFFERENT = [name for names, _ in rows("What differs") for name in names]
ABSENT = [name for names, _ in rows("What is not here") for name in names]
REFUSING = re.findall(r"`([a-z]+\.[\w.]+)`", re.search(r"Functions that refuse.*?\.\s", PAGE, re.S)[0])


def test_there_are_tables():
    assert len(DIFFERENT) > 20 and len(ABSENT) > 20 and len(REFUSING) == 5


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_is_here(name):
    find(gpunet, name)


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_here_is_not_here_and_says_so(name):
    with pytest.raises((AttributeError, ImportError), match=rf"^gpunet\.{name.split('.')[0]}.* does not exist: "):
        find(gpunet, name)


@pytest.mark.parametrize("name", REFUSING)
def test_a_refusing_function_says_what_to_do(name):
    with pytest.raises(NotImplementedError, match=rf"^{name}: "):
        find(gpunet, name)("model")


def test_what_stands_in_is_here():
    for title in ("What differs", "What is not here"):
        for _, second in rows(title):
            for name in re.findall(r"`gpunet\.([\w.]+)`", second):
                find(gpunet, name)


@pytest.mark.needs("torch")
def test_both_tables_name_what_pytorch_has():
    import torch

    slow = {"distributed.rpc", "distributed.fsdp", "distributed.tensor", "utils.tensorboard"}
    for name in {*DIFFERENT, *ABSENT, *REFUSING} - slow:
        find(torch, name)
