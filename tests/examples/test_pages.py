"""The pages about the programs show each of them: its picture, its code, and figures that its last full run gave."""

import json
import re
import sys
from types import ModuleType
from unittest import mock

import pytest

pytest.importorskip("matplotlib")

from examples.__main__ import FIGURES, FOLDER, PICTURES, PROGRAMS, readme  # noqa: E402

PAGES = {path.name: path.read_text() for path in sorted((FOLDER.parent / "docs" / "examples").glob("*.md"))}
RECORDED = json.loads(FIGURES.read_text())


def test_the_gallery_is_what_the_command_writes():
    assert (FOLDER / "README.md").read_text() == readme(RECORDED)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_on_a_page(name):
    (page,) = [text for text in PAGES.values() if f'--8<-- "examples/{name}.py"' in text]
    assert f"](pictures/{name}.png)" in page and (PICTURES / f"{name}.png").stat().st_size < 100_000


@pytest.mark.parametrize("page", PAGES)
def test_the_figures_of_a_page_are_there(page):
    with mock.patch.dict(sys.modules, {"mkdocs.structure.files": mock.Mock(), "mkdocs": ModuleType("mkdocs"),
                                       "mkdocs.structure": ModuleType("mkdocs.structure")}):
        hook: dict = {"__file__": str(FOLDER.parent / "docs" / "programs.py"), "__name__": "programs"}
        exec((FOLDER.parent / "docs" / "programs.py").read_text(), hook)
    assert "{{" not in hook["filled_in"](PAGES[page], RECORDED)
    assert all((PICTURES / name).exists() for name in re.findall(r"\(pictures/(.*?)\)", PAGES[page]))
