"""Every program of examples/ runs, draws its picture, and has learned: the figure could not be by chance."""

import operator
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from examples.__main__ import PROGRAMS, load  # noqa: E402

LEARNED = {  # of a quick run
    "optimization_paths": [("banana_after_newton_cg", "<", 1e-9), ("height_after_ascent", ">", 181.6)],
}
SIGNS = {"<": operator.lt, ">": operator.gt}


def test_every_program_has_its_bounds():
    folder = Path(load("frame").__file__).parent
    helpers = {"frame", "mlp", "keras_digits", "pytorch_mnist", "__main__"}
    assert set(PROGRAMS) == set(LEARNED) == {path.stem for path in folder.glob("*.py")} - helpers


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_learns(name, tmp_path):
    figures = load(name).main(device="cpu", quick=True, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.png"]
    assert (tmp_path / f"{name}.png").stat().st_size < 150_000
    for figure, sign, bound in LEARNED[name]:
        assert SIGNS[sign](figures[figure], bound), f"{figure} is {figures[figure]:.4g}, should be {sign} {bound}"
