"""Small grey pictures in a terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.style import Style
from rich.text import Text

_SHADES = " ░▒▓█"
_ASCII = " .:-=+*#%@"


def picture(image: np.ndarray, console: Console) -> Text:
    """`image` (H, W) in 0 to 1 as text.

    With colours each character is an upper half block, so that it holds two square pixels; without, each pixel is
    two characters wide, in shades (or in ASCII where the encoding has none). Its lines are of one width and keep
    their blanks: to place a picture, wrap it in rich's Align, which moves it as a whole.
    """
    image = np.clip(image, 0, 1)
    text = Text(justify="left", no_wrap=True, overflow="crop")
    if console.color_system is None or console.no_color:
        shades = _SHADES if "utf" in console.encoding.lower() else _ASCII
        levels = np.rint(image * (len(shades) - 1)).astype(int)
        return text.append("\n".join("".join(shades[level] * 2 for level in row) for row in levels))
    if len(image) % 2:
        image = np.vstack([image, np.zeros_like(image[:1])])
    grey = np.rint(image * 255).astype(int)
    for row in range(0, len(grey), 2):
        for upper, lower in zip(grey[row], grey[row + 1], strict=True):
            text.append("▀", Style(color=f"rgb({upper},{upper},{upper})", bgcolor=f"rgb({lower},{lower},{lower})"))
        if row + 2 < len(grey):
            text.append("\n")
    return text
