"""python -m bench.indigo FOLDER: see the package."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from bench import environment
from bench.indigo import __doc__ as about
from bench.indigo.run import ENGINES, Result, run
from bench.indigo.suite import PUBLISHED, Graph, draw_graph, expand, own_graphs, read_graph
from bench.indigo.tables import lines

_OWN = Path(__file__).parent / "own"


def main() -> None:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=_OWN, help="where the suite lies")
    parser.add_argument("--engine", choices=ENGINES, default="cxx", help="what is checked: the source, or its PTX")
    parser.add_argument("--types", default="int", help="of the elements, with commas: int,float,...")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th code only")
    parser.add_argument("--only", default="", metavar="TEXT", help="codes with this in their names")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long; codes are mixed")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write all findings")
    parser.add_argument("--quick", action="store_true", help="one code in eight of the templates beside this file")
    options = parser.parse_args()
    if options.quick:
        options.folder, options.every = _OWN, 8
    templates = sorted(options.folder.rglob("CUDA_sources/*.idg"))
    headers = sorted(options.folder.rglob("sources_include/indigo_cuda.h"))
    if not templates or not headers:
        parser.error(f"{options.folder} has no CUDA_sources/*.idg, or no sources_include/indigo_cuda.h, below it")
    graphs: list[Graph] = own_graphs()
    if not options.quick:
        files = {path.stem: path for path in options.folder.rglob("*.egr")}
        graphs += [read_graph(files[name]) if name in files else draw_graph(name) for name in PUBLISHED]
    codes = [code for template in templates for code in expand(template, options.types.split(","))]
    codes = [codes[i] for i in np.random.default_rng(1).permutation(len(codes))]
    codes = [code for code in codes if options.only in code.name][::options.every]
    results: list[Result] = []
    content = environment.document("python -m bench.indigo", "sim", codes=len(codes), engine=options.engine)
    begin = time.perf_counter()
    for number, code in enumerate(codes, 1):
        if time.perf_counter() - begin > options.seconds:
            print(f"time is up after {number - 1} of {len(codes)} codes")
            break
        results.append(run(code, graphs, headers[0].parent, options.engine))
        if number % 20 == 0:
            print(f"{number} of {len(codes)} codes, {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    table = "\n".join(lines(results, graphs))
    if options.out:
        save(options.out, content, results, table)
    print(table)


def save(out: Path, content: dict, results: list[Result], table: str) -> None:
    """All that was found, by code and graph, a line for each code."""
    place = "the codes"
    content["stages"]["indigo"] = {"table": table.splitlines(), "codes": place}
    codes = ",\n".join(f"    {json.dumps(result.as_dict(), separators=(',', ':'))}" for result in results)
    text = json.dumps(content, indent=1).replace(json.dumps(place), f"[\n{codes}\n   ]")
    environment.save_text(out, text + "\n")


if __name__ == "__main__":
    main()
