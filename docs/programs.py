"""An MkDocs hook for the pages about the programs of examples/: their pictures, and the figures of their last full run.

In a page `{{ vae.distance }}` is a figure of examples/pictures/figures.json, `{{ gan.recognised % }}` one in per cent.
"""

import json
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

PICTURES = Path(__file__).parents[1] / "examples" / "pictures"


def filled_in(text: str, figures: dict[str, dict[str, float]]) -> str:
    """The page with its figures; KeyError names one that no program has."""
    def figure(match):
        program, name, percent = match.groups()
        value = figures[program][name]
        if percent:
            return f"{100 * value:.1f} %"
        return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"

    return re.sub(r"\{\{ (\w+)\.(\w+)( %)? \}\}", figure, text)


def on_files(files: Files, *, config) -> None:
    for picture in sorted(PICTURES.glob("*.png")):
        files.append(File.generated(config, f"examples/pictures/{picture.name}", abs_src_path=str(picture)))


def on_page_markdown(text: str, *, page, config, files) -> str:
    if not page.file.src_uri.startswith("examples/"):
        return text
    return filled_in(text, json.loads((PICTURES / "figures.json").read_text()))
