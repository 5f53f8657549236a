"""An MkDocs hook that sets formulas: TeX between $ and $, or $$ and $$, becomes MathML while the site is built.

Browsers show MathML by themselves, so that a page needs neither a script nor fonts.
"""

import html
import re

from latex2mathml.converter import convert


def on_page_content(page_html: str, *, page, config, files) -> str:
    def formula(match):
        tag, tex = match[1], html.unescape(match[2]).strip()
        inline = tag == "span"
        mathml = convert(tex.removeprefix("\\(" if inline else "\\[").removesuffix("\\)" if inline else "\\]"),
                         display="inline" if inline else "block")
        return mathml if inline else f'<div class="formula">{mathml}</div>'

    return re.sub(r'<(span|div) class="arithmatex">(.*?)</\1>', formula, page_html, flags=re.S)
