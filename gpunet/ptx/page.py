"""A profile as one HTML page that needs nothing else: figures, roofline, lines, and the source beside the counters."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from html import escape

from gpunet.ptx.checks import is_library
from gpunet.ptx.profiles import Line, Profile
from gpunet.ptx.roofline import Roofline

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60646c; --line: #d9dce1; --paper: #fff; --soft: #f4f5f7;
  --mark: #b3261e; --bar: #3b6fb6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --dim: #9aa0a8; --line: #34383f; --paper: #15171a;
  --soft: #1e2126; --mark: #ff8a80; --bar: #7aa7e8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 1400px; color: var(--ink); background: var(--paper);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font: 600 1.3rem ui-monospace, monospace; overflow-wrap: anywhere; margin: 0 0 .2rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
p { margin: .3rem 0; max-width: 75ch; } .dim { color: var(--dim); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(150px,
  (100% - (var(--columns) - 1) * .6rem) / var(--columns)), 1fr)); gap: .6rem; margin: 1rem 0; }
.fact { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .75rem; }
.fact b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.fact span { color: var(--dim); font-size: .85rem; display: block; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { text-align: right; padding: .2rem .6rem; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { background: var(--soft); font-weight: 600; vertical-align: bottom; position: sticky; top: 0; }
th.l, td.l { text-align: left; } tr:last-child td { border-bottom: 0; }
td.code { font-family: ui-monospace, monospace; white-space: pre; text-align: left; }
td.n { color: var(--dim); } .bad { color: var(--mark); font-weight: 600; }
.source td { border: 0; padding-top: 0; padding-bottom: 0; } .source tr.hot { background: var(--soft); }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 1.5rem; }
.two > div { min-width: 0; } .scroll { overflow-x: auto; }
.mix td.bar { width: 50%; } .mix i { display: block; height: .7rem; background: var(--bar); border-radius: 2px; }
svg { width: 100%; height: auto; min-width: 480px; max-width: 620px; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
details summary { cursor: pointer; margin: 1rem 0 .4rem; font-weight: 600; }
"""

COLUMNS = ("excess", "warp\ninstructions", "lanes", "sectors", "least", "wavefronts", "least", "turns of\natomics",
           "branches\nthat part", "bytes of\nglobal memory", "FLOP")

OUTSIDE = "The launch touches memory outside of its arrays, and the counters are of that"


def page(profile: Profile) -> str:
    """The whole page."""
    title = f"{profile.kernel}, profile"
    sections = [_head(profile), '<div class="two">', _roofline(profile.roofline), _mix(profile.mix), "</div>",
                _lines(profile), *(_source(profile, file) for file in _files(profile)), _rules()]
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{_STYLE}</style></head><body>\n{chr(10).join(sections)}\n</body></html>\n")


def number(value: float) -> str:
    """With commas; nothing for nothing."""
    return f"{value:,}" if value else ""


def place(chain: tuple[tuple[str, int], ...]) -> str:
    """kernel.cu:12"""
    return f"{os.path.basename(chain[0][0])}:{chain[0][1]}" if chain else "(no place)"


def cells(line: Line) -> list[tuple[str, bool]]:
    """The counters of a line as text, and whether each is more than the least."""
    return [(number(line.excess), False), (number(line.runs), False),
            (f"{line.lanes_per_run:.1f}" if line.runs else "", False),
            (number(line.sectors), line.sectors > line.least_sectors), (number(line.least_sectors), False),
            (number(line.wavefronts), line.wavefronts > line.least_wavefronts), (number(line.least_wavefronts), False),
            (number(line.turns), line.turns > line.least_turns), (number(line.divergent), bool(line.divergent)),
            (number(line.global_bytes), False), (number(sum(line.operations.values())), False)]


def by_users_lines(lines: Iterable[Line]) -> list[Line]:
    """The lines, those of libraries as parts of the user's line that calls them; the largest excess first."""
    found: dict[tuple, Line] = {}
    for line in lines:
        chain = tuple(each for each in line.chain if not is_library(each[0])) or line.chain[:1]
        found.setdefault(chain, Line(chain)).add(line)
    return sorted(found.values(), key=lambda line: (-line.excess, -line.runs))


def _cells(line: Line) -> str:
    return "".join(f'<td{" class=bad" if bad else ""}>{text}</td>' for text, bad in cells(line))


def _heads(first: str) -> str:
    return f"<tr>{first}" + "".join(f"<th>{each.replace(chr(10), '<br>')}</th>" for each in COLUMNS) + "</tr>"


def _head(profile: Profile) -> str:
    total = profile.total
    sizes = [" × ".join(map(str, each)) for each in (profile.grid, profile.block)]
    facts = [("warp instructions", f"{total.runs:,}", f"{total.lanes_per_run:.1f} of 32 lanes active"),
             ("sectors of global memory", f"{total.sectors:,}", f"at least {total.least_sectors:,}"),
             ("wavefronts of shared memory", f"{total.wavefronts:,}", f"at least {total.least_wavefronts:,}"),
             ("branches at which lanes part", f"{total.divergent:,}", f"of {total.branches:,}"),
             ("floating point", f"{sum(total.operations.values()):,}",
              ", ".join(f"{unit} {count:,}" for unit, count in total.operations.items()) or "operations")]
    if profile.touched is not None:
        read, written = profile.touched
        facts.append(("global memory touched", f"{read + written:,} B", f"{read:,} read, {written:,} written"))
    if profile.resources is not None:
        spills = profile.resources.spill_stores + profile.resources.spill_loads
        facts.append(("registers a thread", str(profile.resources.registers), f"spilled: {spills or 'none'}"))
    if profile.occupancy is not None:
        facts.append(("occupancy", f"{profile.occupancy.share:.0%}",
                      f"{profile.occupancy.blocks} blocks a multiprocessor, limited by {profile.occupancy.limited_by}"))
    boxes = "".join(f'<div class="fact"><span>{name}</span><b>{value}</b><span>{escape(more)}</span></div>'
                    for name, value, more in facts)
    columns = len(facts) if len(facts) < 6 else -(-len(facts) // 2)  # two rows, as equal as can be
    missing = (f"<p class=bad>Not counted: the memory that {', '.join(profile.not_counted)} move.</p>"
               if profile.not_counted else "")
    if profile.outside:
        missing += f"<p class=bad>{OUTSIDE}: the checker finds the line.</p>"
    return (f"<h1>{escape(profile.kernel)}</h1><p class=dim>grid {sizes[0]}, block {sizes[1]}, {profile.shared:,} B of "
            f"shared memory, compiled for {profile.architecture}. Counted, not measured: nothing here is a time.</p>"
            f'{missing}<div class="facts" style="--columns:{columns}">{boxes}</div>')


def _mix(mix: dict[str, int] | None) -> str:
    if not mix:
        return ""
    most = max(mix.values())
    rows = "".join(f'<tr><td class=l>{kind}</td><td>{count}</td><td class="bar">'
                   f'<i style="width:{100 * count / most:.1f}%"></i></td></tr>' for kind, count in mix.items())
    return f'<div><h2>Machine code, as it stands</h2><div class="wide"><table class="mix">{rows}</table></div></div>'


_LABEL = 100  # of the drawing's units: the longest label's width


def _roofline(found: Roofline | None) -> str:
    if found is None:
        return ""
    points = [(found.intensity_every, found.share_every, "every access")]
    if found.intensity_once is not None and found.share_once is not None:
        points.append((found.intensity_once, found.share_once, "each sector once"))
    low = math.floor(math.log10(min(point[0] for point in points) / 2))
    high = max(math.ceil(math.log10(max(max(point[0] for point in points), found.balance) * 2)), low + 2)
    least = min(math.floor(math.log10(10 ** low / found.balance)), -1)

    def x(intensity: float) -> float:
        return 50 + 520 * (math.log10(intensity) - low) / (high - low)

    def y(share: float) -> float:
        return 30 + 190 * math.log10(share) / least

    def roof(at: float) -> float:
        """The roof's height at a place."""
        return max(30.0, y(10 ** (low + (at - 50) / 520 * (high - low)) / found.balance))

    def label(intensity: float, share: float, name: str, line: int) -> str:
        """Below the roof, which rises to the right: by its left end, which may be far from the point. A label of two
        is a line lower, or they could overlap."""
        right = x(intensity) + 9 + _LABEL > 590
        left = x(intensity) + (-9 - _LABEL if right else 9)
        height = max(y(share) + 18, roof(left) + 16) + 16 * line
        return (f'<circle cx="{x(intensity):.1f}" cy="{y(share):.1f}" r="5" fill="var(--mark)"/>'
                f'<text x="{x(intensity) + (-9 if right else 9):.1f}" y="{height:.1f}" '
                'stroke="var(--paper)" stroke-width="3" paint-order="stroke" '
                f'text-anchor="{"end" if right else "start"}">{name}</text>')

    ticks = "".join(f'<line x1="{x(10.0 ** k):.1f}" x2="{x(10.0 ** k):.1f}" y1="30" y2="220" stroke="var(--line)"/>'
                    f'<text x="{x(10.0 ** k):.1f}" y="236" text-anchor="middle">{10.0 ** k:g}</text>'
                    for k in range(low, high + 1))
    ticks += "".join(f'<text x="44" y="{y(10.0 ** k) + 4:.1f}" text-anchor="end">{10.0 ** k:.3g}</text>'
                     for k in range(0, least - 1, -1))
    line = (f'<polyline fill="none" stroke="var(--bar)" stroke-width="2" points="{x(10.0 ** low):.1f},'
            f'{y(10.0 ** low / found.balance):.1f} {x(found.balance):.1f},30 570,30"/>')
    figures = "; ".join(f"{name}: {intensity:.3g} FLOP/B, at most {share:.1%}" for intensity, share, name in points)
    marks = "".join(label(*point, line=len(points) - 1 - number) for number, point in enumerate(points))
    return (f'<div><h2>Roofline: {found.machine}, {found.unit}</h2><div class="scroll">'
            f'<svg viewBox="0 0 600 262" role="img" aria-label="Roofline">{ticks}{line}{marks}'
            '<text x="310" y="256" text-anchor="middle">FLOP for a byte of '
            f"global memory</text></svg></div><p>{figures}.</p>"
            "<p class=dim>Upper bounds of the share of the arithmetic's peak, by the "
            "data sheet. Caches decide where between the two a GPU is; this does not know.</p></div>")


def _lines(profile: Profile) -> str:
    rows = []
    for line in by_users_lines(profile.lines):
        called = "".join(f"<br>{'&nbsp;' * 2}in {escape(os.path.basename(file))}:{number}"
                         for file, number in line.chain[1:])
        rows.append(f"<tr><td class=l>{escape(place(line.chain))}<span class=dim>{called}</span></td>{_cells(line)}"
                    "</tr>")
    return ("<h2>By source line, the largest excess first</h2><div class=\"wide\"><table><thead>"
            f"{_heads('<th class=l>line, inlined in</th>')}</thead>{''.join(rows)}</table></div>")


def _files(profile: Profile) -> Iterable[str]:
    """The files with a text, the kernel's own first; CUDA's headers are left out."""
    outermost = dict.fromkeys(line.chain[-1][0] for line in profile.lines if line.chain)
    named = dict.fromkeys(file for line in profile.lines for file, _ in line.chain)
    for file in dict.fromkeys((*outermost, *named)):
        if file in profile.sources and (file in outermost or "/include/" not in file):
            yield file


def _source(profile: Profile, file: str) -> str:
    """The text with counters; a line's are its own and those of what is inlined at it."""
    counters: dict[int, Line] = {}
    for line in profile.lines:
        for at in {number for name, number in line.chain if name == file}:
            counters.setdefault(at, Line(())).add(line)
    rows = []
    for at, text in enumerate(profile.sources[file].split("\n"), 1):
        line = counters.get(at)
        figures = _cells(line) if line else f'<td colspan="{len(COLUMNS)}"></td>'
        rows.append(f'<tr{" class=hot" if line else ""}><td class=n>{at}</td><td class=code>{escape(text)}</td>'
                    f"{figures}</tr>")
    return (f"<details open><summary>{escape(os.path.basename(file))}, each line with what is inlined in it</summary>"
            f'<div class="wide"><table class="source"><thead>{_heads("<th></th><th class=l>source</th>")}</thead>'
            f"{''.join(rows)}</table></div></details>")


def _rules() -> str:
    return ("<h2>Rules</h2><p class=dim>A sector is 32 bytes of global memory; the least are as many as the bytes of "
            "the access fill. A wavefront is a turn of the 32 banks of shared memory; 8 and 16 bytes a lane take the "
            "lanes by halves and quarters, and the least is one for each. An atomic takes as many turns as the most "
            "lanes that have one address. Excess adds up what is more than the least of the three, and the branches at "
            "which the lanes of a warp part: an order to look at lines in, and no time. Times, hits in caches and "
            "stalls are not known here.</p>")
