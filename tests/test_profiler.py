"""gpunet.profiler: what it sees, that it changes nothing, and that nothing of it stays."""

import gzip
import json
import threading

import pytest

import gpunet
from gpunet import nn, optim, profiler
from gpunet.engine.extensions import extensions
from gpunet.nn import hooks
from gpunet.profiler import ProfilerAction, profile, record_function, schedule
from gpunet.utils.checkpoint import checkpoint


def network():
    gpunet.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Sequential(nn.Linear(8, 4), nn.Tanh()))


def train(model, steps=2):
    gpunet.manual_seed(1)
    optimizer = optim.Adam(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        model(gpunet.randn(5, 6)).square().sum().backward()
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def training():
    with profile(record_shapes=True, profile_memory=True) as prof:
        train(network())
    return prof


def test_it_changes_nothing(training):
    plain, watched, note = train(network()), network(), extensions.note
    with profile():
        train(watched)
    for ours, theirs in zip(plain.parameters(), watched.parameters(), strict=True):
        assert gpunet.equal(ours, theirs)
    assert extensions.profiler is None and not extensions.observed
    assert extensions.note is note and extensions.backward is None
    assert hooks.Hooked.__call__ is hooks._usual_call


def test_what_is_seen(training):
    counts = {row.key: row.count for row in training.key_averages()}
    expected = {"Sequential": 2, "Sequential.0": 2, "Sequential.2": 2, "Sequential.2.0": 2, "Sequential.2.1": 2,
                "linear_relu": 2, "linear": 2, "tanh": 2, "sum": 2, "LinearReluBackward0": 2, "TanhBackward0": 2,
                "Optimizer.step#Adam.step": 2, "adam_step": 2}
    assert {name: counts.get(name) for name in expected} == expected


def test_times_nest(training):
    events = training.events()
    for event in events:
        assert event.start <= event.end
        if (above := event.parent) is not None:
            assert above.start <= event.start and event.end <= above.end and above.thread == event.thread
    whole = sum(event.cpu_time_total for event in events if event.parent is None)
    assert sum(event.self_cpu_time_total for event in events) == pytest.approx(whole, rel=1e-6)


def test_backward_belongs_to_the_module_of_the_forward_call(training):
    found = {(event.name, event.module) for event in training.events() if event.kind == "backward"}
    assert {("LinearReluBackward0", "Sequential.0"), ("TanhBackward0", "Sequential.2.1"),
            ("AddmmBackward0", "Sequential.2.0")} <= found
    rows = {cost.name: cost for cost in training.by_module()}
    assert list(rows) == ["Sequential", "Sequential.0", "Sequential.2", "Sequential.2.0", "Sequential.2.1"]
    inner = rows["Sequential.2.0"], rows["Sequential.2.1"]
    assert rows["Sequential.2"].backward == pytest.approx(sum(cost.backward for cost in inner))
    assert rows["Sequential.2"].forward >= sum(cost.forward for cost in inner)
    assert all(cost.backward > 0 for cost in rows.values())


def test_operations_forward_and_backward(training):
    rows = {cost.name: cost for cost in training.by_op()}
    assert rows["tanh"].calls == 2 and rows["tanh"].forward > 0 and rows["tanh"].backward > 0
    assert rows["adam_step"].backward == 0
    assert training.by_op().whole == pytest.approx(sum(cost.total for cost in rows.values()))


def test_shapes_and_memory(training):
    rows = {(row.key, row.input_shapes): row for row in training.key_averages(group_by_input_shape=True)}
    row = rows["linear_relu", ((5, 6), (8, 6), (8,))]
    assert row.count == 2 and row.self_cpu_memory_usage == 2 * 5 * 8 * 4
    assert rows["adam_step", next(shapes for name, shapes in rows if name == "adam_step")].cpu_memory_usage == 0
    assert {row.key: row for row in training.key_averages()}["Sequential"].cpu_memory_usage >= 2 * 5 * (8 + 4 + 4) * 4


def test_tables(training):
    table = training.key_averages().table(sort_by="self_cpu_time_total", row_limit=3)
    assert table.split("\n")[1].split("  ")[0] == "Name" and "Self CPU time total" in table
    assert len(table.split("\n")) == 3 + 3 + 3
    assert "Input Shapes" in training.key_averages(group_by_input_shape=True).table()
    assert training.by_module().table(sort_by=None).split("\n")[1].startswith("Sequential ")
    for bad in (training.key_averages(), training.by_op()):
        with pytest.raises(ValueError, match="sort_by must be one of"):
            bad.table(sort_by="speed")


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_the_trace(training, tmp_path, name):
    """Complete events with all that the format asks for; one inside another, or beside it."""
    training.add_metadata("what", "a test")
    training.export_chrome_trace(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    trace = json.loads(gzip.decompress(content) if name.endswith("gz") else content)
    assert trace["what"] == "a test"
    lines = [line for line in trace["traceEvents"] if line["ph"] == "X"]
    assert len(lines) == len(training.events())
    ends: list[float] = []
    for line in lines:
        assert isinstance(line["name"], str) and line["dur"] >= 0 and {"ts", "pid", "tid", "cat"} <= line.keys()
        while ends and ends[-1] <= line["ts"] + 1e-3:
            ends.pop()
        assert not ends or line["ts"] + line["dur"] <= ends[-1] + 1e-3
        ends.append(line["ts"] + line["dur"])


def test_ranges_and_threads():
    @record_function("decorated")
    def double(x, depth=1):
        return double(x, depth - 1) if depth else x * 2

    with profile() as prof, record_function("outer"):
        thread = threading.Thread(target=double, args=(gpunet.ones(2),))
        thread.start()
        thread.join()
        double(gpunet.ones(2), 0)
    events = {id(event): event for event in prof.events()}.values()
    assert [event.name for event in events if event.kind == "range"] == ["outer", "decorated", "decorated", "decorated"]
    assert len({event.thread for event in events}) == 2
    assert [event.parent for event in events if event.name == "outer"] == [None]


def test_an_error_leaves_nothing():
    model = network()
    with pytest.raises(RuntimeError), profile() as prof:
        model(gpunet.ones(5, 7))
    assert "Sequential.0" in {event.name for event in prof.events()}
    assert extensions.profiler is None and hooks.Hooked.__call__ is hooks._usual_call


def test_two_at_once_are_refused():
    with profile(), pytest.raises(RuntimeError, match="another profile is on"), profile():
        pass
    with profile(activities=False) as prof:
        gpunet.ones(2).exp()
    assert prof.events() == []


def test_beside_anomaly_detection_and_recording():
    x = gpunet.ones(2, requires_grad=True)
    with profile() as prof, gpunet.autograd.detect_anomaly():
        x.exp().sum().backward()
        with pytest.raises(RuntimeError, match="nan"):
            gpunet.tensor([-1.0]).log()
    assert {"exp", "ExpBackward0"} <= {event.name for event in prof.events()}
    step = gpunet.compile(lambda x: x.exp() + 1)
    with profile() as prof:
        for _ in range(4):
            step(gpunet.ones(3))
    assert [event.name for event in prof.events()].count("gpunet.compile: replay") == 2


def test_what_is_computed_again_counts_as_backward():
    model = network()
    with profile() as prof:
        checkpoint(model, gpunet.ones(2, 6, requires_grad=True), use_reentrant=False).sum().backward()
    assert {cost.name: cost.calls for cost in prof.by_module()}["Sequential.0"] == 1


def test_models_of_one_class_have_names_of_their_own():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    with profile() as prof:
        second(first(gpunet.ones(1, 2)))
    assert [cost.name for cost in prof.by_module()] == ["Linear", "Linear#2"]


SCHEDULES = [dict(wait=1, warmup=1, active=2), dict(wait=0, warmup=0, active=1),
             dict(wait=2, warmup=0, active=1, repeat=2), dict(wait=1, warmup=2, active=3, repeat=1, skip_first=4)]


@pytest.mark.filterwarnings("ignore:Profiler won't be using warmup")
@pytest.mark.parametrize("options", SCHEDULES)
def test_schedules_are_pytorchs(options):
    theirs = pytest.importorskip("torch").profiler.schedule(**options)
    ours = schedule(**options)
    assert [ours(step).name for step in range(20)] == [theirs(step).name for step in range(20)]


def test_steps():
    parts = []
    def ready(prof):
        parts.append([event.name for event in prof.events() if event.kind != "module"])

    with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=1), on_trace_ready=ready) as prof:
        for number in range(6):
            gpunet.ones(1).mul(number)
            assert (extensions.profiler is None) == (number not in (2, 3)), number
            prof.step()
    assert parts == [["ProfilerStep#2", "fill", "mul", "ProfilerStep#3", "fill", "mul"]]
    assert schedule(wait=0, warmup=0, active=1)(3) is ProfilerAction.RECORD_AND_SAVE
    with pytest.raises(ValueError, match="active at least 1"):
        schedule(wait=1, warmup=0, active=0)


def test_ranges_without_a_profile():
    with record_function("alone"), profiler.emit_nvtx():
        assert gpunet.ones(1).item() == 1
