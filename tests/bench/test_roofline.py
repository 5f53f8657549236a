"""The roofline: limits, shares, and the picture, from figures written down here."""

import json

import pytest

from bench import report
from gpunet.benchmark.roofline import Limits, draw, limits_of, points_of
from gpunet.benchmark.words import rate_in_words


def row(group, name, size, operations, **seconds):
    samples = {competitor: [2 * t, t, t / 2] for competitor, t in seconds.items()}
    return {"group": group, "name": name, "samples": samples,
            "amounts": {"bytes": size} | ({"operations": operations} if operations else {})}


ROWS = [
    row("copy", "1 GB", 1e9, 0, CuPy=1e-3, PyTorch=1.25e-3),
    row("matmul", "large", 1e8, 1e12, gpunet=0.025, CuPy=0.02),
    row("matmul", "small", 1e8, 1e9, gpunet=2e-4, CuPy=1e-4),
    row("bias_relu", "a", 1e9, 2.5e8, gpunet=1.25e-3, PyTorch=2e-3),
]


def test_limits_are_the_best_rates_whoever_reached_them():
    assert limits_of(ROWS) == Limits(1e12, 5e13)
    assert limits_of(ROWS[3:]) == Limits(None, None)


def test_what_holds_a_case_back():
    limits = limits_of(ROWS)
    assert [limits.binding(each["amounts"]) for each in ROWS] == ["bytes", "operations", "bytes", "bytes"]
    assert limits.share({"bytes": 1e9, "operations": 2.5e8}, 1.25e-3) == pytest.approx(0.8)
    assert limits.share({"operations": 1e12}, 0.025) == pytest.approx(0.8)
    nothing = Limits(None, None)
    assert nothing.share({"bytes": 1.0}, 1.0) is None and nothing.binding({}) is None
    assert nothing.binding({"bytes": 1.0, "operations": 100.0}) == "operations"


def test_a_kernel_that_only_moves_memory_has_a_share():
    rows = [*ROWS, row("turn", "a", 1e9, 0, gpunet=2e-3), row("turn", "b", 1e9, 0, gpunet=0.0)]
    [point] = [p for p in points_of(rows, limits_of(rows)) if p.group == "turn"]
    assert point.share == pytest.approx(0.5) and point.intensity is None and point.rate is None


def test_rows_that_lack_an_amount_or_a_time_are_no_limit():
    rows = [row("copy", "a", 1e9, 0, CuPy=0.0),
            {"group": "matmul", "name": "b", "samples": {"x": [1.0]}, "amounts": {}}]
    assert limits_of(rows) == Limits(None, None) and points_of(rows, limits_of(rows)) == []


def test_points():
    points = {(p.name, p.competitor): p for p in points_of(ROWS, limits_of(ROWS))}
    assert len(points) == 6  # the copy is a limit and no point
    assert points["large", "gpunet"].intensity == 1e4 and points["large", "gpunet"].rate == pytest.approx(4e13)
    assert points["a", "PyTorch"].share == pytest.approx(0.5)


@pytest.mark.parametrize("ending, begins", [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_picture(tmp_path, ending, begins):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / f"roof.{ending}"
    draw([*ROWS, row("turn", "a", 1e9, 0, gpunet=2e-3, CuPy=3e-3)], "A machine", path)
    first = path.read_bytes()
    assert first.startswith(begins) and [each.name for each in path.parent.iterdir()] == [path.name]
    if ending == "svg":
        assert b"A machine" in first or b"<path" in first
        assert b"dc:date" not in first


def test_what_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="needs the rates of a copy and of a matrix product"):
        draw(ROWS[1:], "", tmp_path / "a.png")
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="a .png or a .svg"):
        draw(ROWS, "", tmp_path / "a.gif")


def test_the_reports_picture(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    content = {"device": "cuda", "environment": {"date": "2026-11-21T10:00:00"}, "stages": {
        "environment": {"status": "passed", "findings": [{"gpu": {"name": "A GPU"}}]},
        "kernels": {"status": "passed", "findings": ROWS}}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / "a.json"), "--roofline", str(tmp_path / "a.png")])
    report.main()
    assert (tmp_path / "a.png").stat().st_size > 10_000 and "Drawn to" in capsys.readouterr().out


def test_rates_in_words():
    assert rate_in_words(3.021e12, "B/s") == "3.02 TB/s" and rate_in_words(5.0, "FLOP/s") == "5 FLOP/s"


def test_the_page_of_the_documentation(tmp_path):
    """It shows the newest result of a GPU; without one it says so."""
    page = tmp_path / "gpu.md"
    report.write_page(page, tmp_path)
    assert "No GPU has been measured yet" in page.read_text()
    pytest.importorskip("matplotlib")

    def result(name, date, gpu, **more):
        machine = dict.fromkeys(("commit", "processor", "cores", "python", "blas"), "") | {"date": date, "versions": {}}
        of_gpu = dict.fromkeys(("multiprocessors", "driver", "nvrtc", "architecture"), "")
        of_gpu |= {"name": gpu, "memory": 2**30}
        stages = {"environment": [{"gpu": of_gpu}], "kernels": ROWS}
        content = {"device": "cuda", "environment": machine, "stages": {
            stage: {"status": "passed", "findings": findings} for stage, findings in stages.items()}} | more
        (tmp_path / name).write_text(json.dumps(content))

    result("a.json", "2026-11-22T10:00:00", "GPU 2")
    result("b.json", "2026-11-21T10:00:00", "GPU 1")
    result("c.json", "2026-11-23T10:00:00", "GPU 3", quick=True)
    report.write_page(page, tmp_path)
    text = page.read_text()
    assert "GPU 2" in text and "GPU 1" not in text and "(roofline.svg)" in text and "| large |" in text
    assert (tmp_path / "roofline.svg").stat().st_size > 1000


def test_the_page_is_up_to_date(tmp_path):
    report.write_page(tmp_path / "gpu.md")
    assert (tmp_path / "gpu.md").read_text() == report._PAGE.read_text()
