"""Web pages: templates and a style sheet, filled in by Jinja, which escapes what it is given.

A page holds all that it needs; its content security policy forbids the browser to ask anybody else for anything.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                       lstrip_blocks=True)


def render(template: str, **values: Any) -> str:
    """A page.

    Args:
        template: the file's name here.
        values: what it shows. Texts are escaped, except those that `safe` has marked.
    """
    return _environment().get_template(template).render(**values)


def safe(text: str) -> Any:
    """Marks a text as HTML, such as an SVG picture whose own texts are escaped.

    Args:
        text: the text.
    """
    from markupsafe import Markup

    return Markup(text)


def style() -> Any:
    """The style sheet of all pages."""
    return safe((_HERE / "style.css").read_text(encoding="utf-8"))
