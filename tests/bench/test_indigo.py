"""bench.indigo on the templates beside it, which are in the suite's manner."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.indigo import __main__ as command
from bench.indigo.run import ENGINES, Result, run
from bench.indigo.suite import PUBLISHED, draw_graph, expand, own_graphs, read_graph
from bench.indigo.tables import lines
from gpunet.sim.engine import lacking

OWN = Path(command.__file__).parent / "own"


def codes(stem, types=("int",)):
    return {code.name: code for code in expand(OWN / "CUDA_sources" / f"{stem}.idg", list(types))}


def test_templates_become_codes():
    edges = codes("conditional_edge")
    assert len(edges) == 8 and len(codes("conditional_edge", ("int", "float"))) == 16
    code = edges["conditional_edge_boundsBug_reverse_atomicBug"]
    assert code.bugs == ("atomicBug", "boundsBug") and "if (i < numv)" not in code.text
    assert "data1[0]++" in code.text and "atomicAdd" not in code.text and "j = end - 1" in code.text
    text = code.text.splitlines()
    assert [text[number - 1] for number in code.lines["atomicBug"]] == ["data1[0]++;"]
    assert {"nindex", "nlist"} == {text[number - 1].partition("[")[0].rpartition(" ")[2]
                                   for number in code.lines["boundsBug"]}
    largest = codes("largest_block")
    assert len(largest) == 8 and largest["largest_block"].text.count("__syncthreads") == 2
    assert largest["largest_block_syncBug"].text.count("__syncthreads") == 1


def test_graphs(tmp_path):
    graph = own_graphs()[0]
    np.concatenate([[graph.n, len(graph.list)], graph.index, graph.list]).astype(np.int32).tofile(tmp_path / "g.egr")
    read = read_graph(tmp_path / "g.egr")
    assert read.origin == "published" and (read.index == graph.index).all() and (read.list == graph.list).all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_graphs_in_kind(name):
    graph = draw_graph(name)
    size = f"{graph.n}n_{len(graph.list)}e"
    assert name.endswith(size) and graph.origin == "in kind" and (draw_graph(name).list == graph.list).all()
    edges = np.zeros((graph.n, graph.n))
    edges[np.repeat(np.arange(graph.n), np.diff(graph.index)), graph.list] = 1
    assert edges.sum() == len(graph.list) and not edges.diagonal().any()
    reach = np.linalg.matrix_power(edges, graph.n)  # a path of n edges comes to a vertex again
    assert reach.any() == ("DAG" not in name)
    if "DAG" not in name:
        assert edges.sum(0).max() > 5 * edges.sum(0).mean()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("stem, name", [("conditional_edge", "conditional_edge_boundsBug_atomicBug"),
                                        ("largest_block", "largest_block_syncBug_guardBug"),
                                        ("largest_block", "largest_block")])
def test_a_code_under_the_checker(stem, name, engine):
    if engine == "ptx" and (missing := lacking()):
        pytest.skip(missing)
    code = codes(stem)[name]
    result = run(code, own_graphs(), OWN / "sources_include", engine)
    assert not result.refused and result.right == dict.fromkeys(code.bugs, True)
    assert result.has(("race",)) == result.racy and result.has(("out of bounds",)) == ("boundsBug" in code.bugs)


def test_tables_tell_what_differs(monkeypatch, capsys, tmp_path):
    found = Result("a_atomicBug", ("atomicBug",), "", [("g", 1, 32, [("race", 5, 5)])], {"atomicBug": True},
                   {"first launch, with the build": 1.0, "launch": 0.1})
    missed = Result("b_atomicBug", ("atomicBug",), "", [("g", 1, 32, [])], {"atomicBug": False}, found.seconds)
    refused = Result("c", (), "no such thing")
    text = "\n".join(lines([found, missed, refused], []))
    assert "b_atomicBug: a race is not found; atomicBug is not at its line" in text and "refused c: no such" in text
    assert "atomicBug     1 of 2" in text and "3 codes, 1 refused" in text
    command.save(tmp_path / "out.json", {"device": "sim", "stages": {}}, [found, missed, refused], text)
    kept = json.loads((tmp_path / "out.json").read_text())["stages"]["indigo"]
    assert kept["table"] == text.splitlines() and [code["name"] for code in kept["codes"]] == [
        "a_atomicBug", "b_atomicBug", "c"]
    assert kept["codes"][0]["found"] == {"g": [["race", 5, 5]]} and kept["codes"][1]["found"] == {}
    monkeypatch.setattr(sys, "argv", ["bench.indigo", str(tmp_path)])
    with pytest.raises(SystemExit):
        command.main()
    assert "has no CUDA_sources/*.idg" in capsys.readouterr().err
