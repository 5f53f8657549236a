"""Timing, and what is made of the samples."""

import json

import pytest

from bench import environment, report
from bench.measure import Work, interleave, quartiles, ratio, told_clock


def test_interleaved_rounds():
    order = []

    def work(name, seconds, calls=1):
        return Work(lambda: order.append(name) or seconds, calls, lambda: order.append("prepare " + name))

    samples = interleave({"a": work("a", 1.0), "b": work("b", 6.0, calls=2)}, rounds=4, clock=told_clock, warm_up=1)
    assert samples == {"a": [1.0] * 4, "b": [3.0] * 4}
    runs = [name for name in order if not name.startswith("prepare")]
    assert runs == ["a", "b"] + ["a", "b", "b", "a"] * 2  # the warm-up, then each begins in turn
    assert order == [word for name in runs for word in ("prepare " + name, name)]
    assert ratio(samples, "a", "b") == 3.0


def test_time_is_up_after_half_of_the_rounds():
    samples = interleave({"a": Work(lambda: 1.0)}, rounds=10, clock=told_clock, seconds=0)
    assert len(samples["a"]) == 5


def test_quartiles():
    assert quartiles([3.0]) == (3.0, 3.0, 3.0)
    assert quartiles([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 3.0, 4.0)


def test_environment_can_be_written(tmp_path):
    content = environment.document("test", "cpu")
    assert {"date", "commit", "processor", "versions", "python"} <= set(content["environment"])
    path = tmp_path / "folder" / "x.json"
    environment.save(path, content)
    assert json.loads(path.read_text())["environment"]["versions"]["numpy"]
    environment.save(path, {"new": 1})
    assert json.loads(path.read_text()) == {"new": 1} and [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_a_file_stays_whole_when_the_new_one_cannot_be_written(tmp_path):
    path = tmp_path / "x.json"
    environment.save(path, {"old": 1})
    with pytest.raises(TypeError):
        environment.save(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1} and [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_report():
    def contest(group, name, amounts, **samples):
        return {"group": group, "name": name, "amounts": amounts, "samples": samples}

    content = {"device": "cuda", "environment": {}, "stages": {
        "kernels": {"status": "passed", "findings": [
            contest("copy", "1 MiB", {"bytes": 2e9}, CuPy=[1e-3], PyTorch=[2e-3]),
            contest("bias_relu", "a|b", {"bytes": 1e9}, gpunet=[1e-3, 1e-3, 9.0], PyTorch=[2.5e-3]),
            contest("layer", "moves", {"bytes": 1e9}, gpunet=[1e-3]),
            contest("layer", "computes", {"operations": 1e9}, gpunet=[2e-3], PyTorch=[1e-3]),
            contest("layer", "neither", {}, gpunet=[3e-3]), contest("layer", "theirs", {}, PyTorch=[1e-3]),
            contest("layer", "instantly", {"bytes": 1e9}, gpunet=[0.0], PyTorch=[1e-3]),
            contest("only theirs", "a", {}, CuPy=[1e-3]), {"failed": "matmul x: a reason"},
        ]},
        "dispatch": {"status": "passed", "findings": [
            contest("op", "add", {}, NumPy=[1e-6], **{"gpunet": [2.5e-6], "gpunet with gradient": [3.5e-6]})]},
        "tests": {"status": "passed", "findings": [{"passed": 5, "failed": 1, "skipped": 0, "seconds": 3.0}]},
    }}
    text = report.markdown(content)
    assert "| 1 MiB | 2 TB/s | 1 TB/s |" in text
    assert "| a\\|b | 1 ms | 1 TB/s | 0.50 | 2.50x |" in text
    # Whatever a row does not tell leaves its cell empty; the unit says what a rate is of.
    for row in ("| moves | 1 ms | 1 TB/s | 0.50 |  |", "| computes | 2 ms | 500 GFLOP/s |  | 0.50x |",
                "| neither | 3 ms |  |  |  |", "| theirs |  |  |  |  |", "| instantly | 0 ns |  |  | nanx |",
                "| a |  |", "| matmul x: a reason |"):
        assert row in text
    assert "| add | 1.00 | 2.50 | 1.50 | 3.50 | 2.50 |" in text
    assert "| 1/1 |  | 5 | 1 | 0 | 3 |" in text
    assert "bias_relu" not in report.markdown(content, ["dispatch"])


@pytest.mark.parametrize("value, text", [(2.0, "2 s"), (0.00123, "1.23 ms"), (4.56e-6, "4.56 µs"), (7e-10, "0.7 ns")])
def test_times_in_words(value, text):
    assert report.seconds(value) == text
