"""Indigo's templates as codes, and what the codes are launched with."""

from __future__ import annotations

import collections
import ctypes
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TYPES = {"int": np.int32, "long": np.uint64, "float": np.float32, "double": np.float64, "char": np.int8,
         "short": np.int16}
RACES = ("atomicBug", "guardBug", "syncBug", "raceBug")
BUGS = (*RACES, "boundsBug")
# HiRace's Table I: of 346 codes with races how many HiRace, iGUARD and Compute Sanitizer have found on each graph.
PUBLISHED = {"DAG_5n_5e": (182, 118, 92), "counterDAG_5n_5e": (295, 148, 92), "DAG_100n_200e": (346, 298, 92),
             "DAG_200n_400e": (346, 298, 92), "counterDAG_200n_1000e": (346, 298, 56),
             "power_law_200n_1000e": (346, 297, 128)}
_TAG = re.compile(r"/\*@([A-Za-z0-9]*)@\*/")


# ---- templates to codes ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Code:
    """A kernel; `lines`: by bug, the lines at which it is rightly reported."""

    name: str
    pattern: str
    tags: tuple[str, ...]
    text: str
    lines: dict[str, set[int]]
    type: str = "int"

    @property
    def bugs(self) -> tuple[str, ...]:
        return tuple(bug for bug in BUGS if bug in self.tags)


def expand(template: Path, types: list[str]) -> Iterator[Code]:
    """All codes of a template, of the element types that are asked for."""
    lines = template.read_text().splitlines()
    for chosen in itertools.product(*_groups(lines)):
        tags = tuple(tag for tag in chosen if tag)
        kinds = [tag for tag in tags if tag in TYPES] or ["int"]
        if len(kinds) > 1 or kinds[0] not in types or {"syncBug", "shfl"} <= set(tags):
            continue  # a shuffle needs no barrier
        text, places = _chosen(lines, set(chosen))
        yield Code("_".join([template.stem, *tags]), template.stem, tags, text, places, kinds[0])


def _groups(lines: list[str]) -> list[list[str]]:
    """The choices: tags on one line exclude each other, and a line's first tag names its group."""
    groups: list[list[str]] = []
    for line in lines:
        tags = _TAG.findall(line)
        if tags and not any(group[1] == tags[0] for group in groups):
            groups.append(["", *tags])
    return groups


def _chosen(lines: list[str], chosen: set[str]) -> tuple[str, dict[str, set[int]]]:
    out, places, in_kernel = [], collections.defaultdict(set), False
    for line in lines:
        text, by = line.strip(), ""
        if _TAG.search(line):
            text = ""
            pieces = _TAG.split(line)  # text, tag, text, tag, text, ...
            for tag, piece in zip(["", *pieces[1::2]], pieces[0::2], strict=True):
                if tag in chosen:
                    text, by = piece.strip(), tag
        if not text and line.strip():
            continue
        out.append(text)
        in_kernel = (in_kernel or "__global__" in text) and "serial_code" not in text
        if not in_kernel:
            continue
        if by in RACES and text != "}":
            places[by].add(len(out))
        if "s_carry" in text:
            places["syncBug"].add(len(out))
        if "nlist[" in text or "nindex[" in text:
            places["boundsBug"].add(len(out))
    return "\n".join(out) + "\n", places


# ---- graphs ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Graph:
    """In rows: vertex v's neighbours are list[index[v]:index[v + 1]]. `origin`: "small", or of one that stands in
    HiRace's Table I "published" (its file) or "in kind" (as many vertices and edges, drawn here)."""

    name: str
    index: np.ndarray
    list: np.ndarray
    origin: str = "small"

    @property
    def n(self) -> int:
        return len(self.index) - 1


def own_graphs() -> list[Graph]:
    """Small ones: at random and with vertices that have no neighbour, a star over a grid, a chain."""
    random = np.random.default_rng(7)
    pairs = random.integers(2, 22, (70, 2)).tolist()
    star = [(0, i) for i in range(1, 48)] + [(i, 0) for i in range(1, 48)]
    grid = [(i, j) for i in range(48) for j in (i - 1, i + 1, i - 8, i + 8) if 0 <= j < 48]
    chain = [(i, i + 1) for i in range(9)] + [(i + 1, i) for i in range(9)]
    return [_rows("random24", 24, [(a, b) for a, b in pairs if a != b]), _rows("star+grid48", 48, star + grid),
            _rows("chain10", 10, chain)]


def read_graph(path: Path) -> Graph:
    """An .egr file: the numbers of vertices and edges, and the two arrays."""
    data = np.fromfile(path, np.int32)
    n, edges = int(data[0]), int(data[1])
    return Graph(path.stem, data[2:3 + n].copy(), data[3 + n:3 + n + edges].copy(), "published")


def draw_graph(name: str) -> Graph:
    """One like the published graph of this name, from the name alone: KIND_{vertices}n_{edges}e.

    A DAG's edges go onwards in a random order of the vertices, a counter-DAG's go back; with a power law the k-th
    vertex of such an order is an edge's end with a probability in proportion to 1 / k.
    """
    kind, vertices, size = name.rsplit("_", 2)
    n, m, random = int(vertices.rstrip("n")), int(size.rstrip("e")), np.random.default_rng(1)
    order = random.permutation(n)
    weight = 1 / np.arange(1, n + 1) if kind == "power_law" else np.ones(n)
    edges: set[tuple[int, int]] = set()
    while len(edges) < m:
        a, b = random.choice(n, 2, replace=False, p=weight / weight.sum())
        if kind != "power_law":
            a, b = (max(a, b), min(a, b)) if kind == "counterDAG" else (min(a, b), max(a, b))
        edges.add((int(order[a]), int(order[b])))
    graph = _rows(name, n, list(edges))
    return Graph(name, graph.index, graph.list, "in kind")


def _rows(name: str, n: int, edges: list[tuple[int, int]]) -> Graph:
    edges = sorted(set(edges))
    degree = np.bincount([a for a, _ in edges], minlength=n)
    return Graph(name, np.concatenate([[0], np.cumsum(degree)]).astype(np.int32),
                 np.array([b for _, b in edges], np.int32))


# ---- launches --------------------------------------------------------------------------------------------------------
_libc = ctypes.CDLL(None)


def arguments(graph: Graph, dtype: type) -> tuple:
    """As the suite's main program makes them, from C's rand()."""
    n, edges = graph.n, max(1, len(graph.list))
    size = max(n, edges)
    _libc.srand(1)
    data1 = np.array([0] + [_libc.rand() % n for _ in range(size - 1)]).astype(dtype)
    data2 = np.array([0] + [_libc.rand() % edges for _ in range(size - 1)]).astype(dtype)
    neighbours = graph.list.copy() if len(graph.list) else np.zeros(1, np.int32)
    return graph.index.copy(), neighbours, data1, data2, np.int32(n)


def launches(code: Code, graphs: list[Graph]) -> Iterator[tuple[Graph, int, int]]:
    """Graph, grid and block. A block has 256 threads on graphs of HiRace's table, as in its measurements."""
    for graph in graphs:
        block = 256 if graph.name in PUBLISHED else {"random24": 64, "star+grid48": 32}.get(graph.name, 128)
        yield graph, _blocks(code, graph.n, block), block
        if graph.name == "random24":
            yield graph, 2, block


def _blocks(code: Code, n: int, block: int) -> int:
    """As many as it takes to give each vertex its thread, warp or block, and one more."""
    each = block if code.pattern.endswith("_block") else 32 if code.pattern.endswith("_warp") else 1
    return n if each == block else -(-n * each // block) + 1
