"""Some programs of every family, with fixed seeds; and that the tool sees what it is for."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.random_programs import families  # noqa: E402, F401 - registers them
from tests.random_programs.compare import Undefined, differences  # noqa: E402
from tests.random_programs.draw import Draw, Operand  # noqa: E402
from tests.random_programs.program import FAMILIES, Program, program_of  # noqa: E402

PROGRAMS = 4  # of each family
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of its own kernels


@pytest.mark.parametrize("name", FAMILIES)
def test_programs(name):
    compared = 0
    for seed in range(3 * PROGRAMS):
        program = program_of(name, seed)
        try:
            found = list(differences(program))
        except Undefined:
            continue
        assert not found, f"{program}; again: python -m tests.random_programs {name} --only {seed}"
        compared += 1
        if compared == PROGRAMS:
            return
    pytest.fail(f"PyTorch gives a finite answer for {compared} of {3 * PROGRAMS} programs only")


def test_a_seed_repeats_its_program():
    first, again, other = (program_of("matmul", seed) for seed in (5, 5, 6))
    assert str(first) == str(again) != str(other)
    assert all(np.array_equal(a.base, b.base) for a, b in zip(first.operands, again.operands, strict=True))


def test_an_operand_is_a_view_of_its_base():
    operand = Operand(np.arange(24, dtype=np.float32).reshape(4, 6), (slice(1, 2), slice(1, None, 2)), (1, 0), (3, 5))
    expected = np.broadcast_to(operand.base[1:2, 1::2].T, (3, 5))
    np.testing.assert_array_equal(operand.view(torch.tensor(operand.base)).numpy(), expected)
    assert str(operand) == "(3, 5) expanded from (4, 6)[1:2, 1::2] permuted (1, 0)"


def test_drawn_operands_have_the_shape_asked_for():
    draw = Draw(0)
    for shape in [(), (1,), (3, 4), (2, 1, 5), (2, 3, 4, 5)] * 20:
        operand = draw.operand(shape)
        assert operand.view(torch.tensor(operand.base)).shape == operand.shape == shape


@pytest.mark.parametrize("body, expected", [
    (lambda lib, x: x * (1.001 if lib.module is torch else 1), ["output 0: off by 1.0e-03", "gradient of operand 0"]),
    (lambda lib, x: x.argmax(0) + (lib.module is torch), ["output 0: off by inf"]),
    (lambda lib, x: x.argmax(0, keepdim=lib.module is torch), ["output 0: shape (4,), not (1, 4)"]),
    (lambda lib, x: x if lib.module is torch else x.detach(), ["gradient of operand 0: none, where PyTorch has one"]),
    (lambda lib, x: x if lib.module is torch else x * float("nan"), ["output 0: off by inf", "gradient of operand 0"]),
    (lambda lib, x: x if lib.module is torch else x.reshape(5), ["RuntimeError: "]),
], ids=["value", "index", "shape", "gradient", "nan", "error"])
def test_a_mistake_is_a_difference(body, expected):
    found = list(differences(Program("mistaken", [Draw(0).whole((3, 4))], {}, body)))
    assert len(found) == len(expected)
    assert all(text in line for text, line in zip(expected, found, strict=True)), found


def test_what_float32_cannot_hold_is_no_difference():
    """A sum that cancels: PyTorch's float32 loses as much."""
    body = lambda lib, x: (x + 1e6) - 1e6  # noqa: E731
    assert not list(differences(Program("cancels", [Draw(0).whole((3, 4))], {}, body)))


def test_without_a_finite_answer_there_is_nothing_to_compare():
    with pytest.raises(Undefined, match="not finite"):
        list(differences(Program("infinite", [Draw(0).whole((3,))], {}, lambda lib, x: x / 0)))
