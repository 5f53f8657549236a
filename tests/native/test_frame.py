"""The frame: when kernels serve, what they are given, how they are called and repeated, threads and forks."""

import os
import subprocess
import sys
import tempfile
import textwrap
import threading

import numpy as np
import pytest

import gpunet
from gpunet import native
from gpunet.dispatch import op
from gpunet.native import Native, library, memory, plain, threads, toolchain
from gpunet.ops.activation import relu_op
from gpunet.ops.elementwise import _unary
from gpunet.ops.rules import same

COPY = 14  # the code of elementwise_unary.cpp


def tmp_program(text):
    """The path of a file with a program, for processes that import it."""
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(textwrap.dedent(text))
    return file.name


def run(program, **environment):
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
                            timeout=120, env={**os.environ, **environment})
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_they_can_be_switched_off():
    program = """
        import gpunet, gpunet.native
        from gpunet.ops.activation import relu_op
        print(relu_op(gpunet.tensor([-1.0, 2.0])).tolist(), relu_op.op.native, gpunet.native.status())"""
    assert run(program, GPUNET_NATIVE="0") == "[0.0, 2.0] None $GPUNET_NATIVE is 0"


def test_the_first_call_loads_what_is_in_the_cache():
    program = """
        import gpunet
        from gpunet.ops.activation import relu_op
        before = type(relu_op.op.native).__name__
        relu_op(gpunet.tensor([-1.0, 2.0]))
        print(before, type(relu_op.op.native).__name__)"""
    assert run(program) == "partial Guard"


def test_without_the_extension_compiled_steps_run_by_ctypes():
    program = """
        import gpunet
        from gpunet.native import library, toolchain
        find = toolchain.find
        toolchain.find = lambda: find()._replace(extension=None)

        def step(x, w):
            return ((x @ w).relu() * 2 + 1).sum(1)

        x, w = gpunet.randn(64, 32), gpunet.randn(32, 16)
        compiled = gpunet.compile(step)
        same = [(compiled(each, w) == step(each, w)).all().item() for each in (x, x + 1, x - 1)]
        print(library.loaded().__name__, same)"""
    assert run(program) == "gpunet.native.plain [True, True, True]"


def test_without_a_compiler_numpy_serves(tmp_path):
    program = """
        import gpunet, gpunet.native
        print(gpunet.tensor([-1.0, 2.0]).relu().tolist(), gpunet.native.status())"""
    shown = run(program, GPUNET_CACHE_DIR=str(tmp_path), HOME=str(tmp_path), PATH=str(tmp_path), GPUNET_CXX="", CXX="")
    assert shown.startswith("[0.0, 2.0] the CPU's native kernels need a C++ compiler") and "install g++" in shown


def test_numpy_serves_a_whole_program_while_kernels_are_built(tmp_path):
    """A compiler that takes its time, and ends after the program: who computes does not change on the way."""
    slow = tmp_path / "slow-g++"
    slow.write_text(f"""#!/bin/sh
case "$*" in *-dumpmachine*) exec g++ "$@";; esac
echo started >> {tmp_path}/started
while [ ! -e {tmp_path}/go ]; do sleep 0.05; done
exit 1
""")
    slow.chmod(0o755)
    program = f"""
        import pathlib, time
        import gpunet, gpunet.native
        from gpunet.native import toolchain
        from gpunet.ops.activation import relu_op
        toolchain._PREBUILT = pathlib.Path("{tmp_path}/none")
        x = gpunet.tensor([-1.0, 2.0]).relu()
        first = relu_op.op.native
        while not pathlib.Path("{tmp_path}/started").exists():
            time.sleep(0.05)
        pathlib.Path("{tmp_path}/go").touch()
        while "compiled" in gpunet.native.status():
            time.sleep(0.05)
        gpunet.tensor([-1.0, 2.0]).relu()
        print(x.tolist(), first, relu_op.op.native)"""
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
                            timeout=120, env={**os.environ, "GPUNET_CXX": str(slow), "GPUNET_NATIVE": "",
                                              **dict.fromkeys(("GPUNET_CACHE_DIR", "XDG_CACHE_HOME", "HOME"),
                                                              str(tmp_path))})
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[0.0, 2.0] None None"
    assert result.stderr.count("\n") == 1 and "this program computes with NumPy" in result.stderr


def test_a_loaders_workers_compute_with_what_its_process_does():
    program = """
        import gpunet, gpunet.native
        from gpunet.data import DataLoader, Dataset
        from gpunet.native import library
        class Kernels(Dataset):
            def __len__(self):
                return 1
            def __getitem__(self, index):
                gpunet.tensor([1.0]).relu()
                return int(library.loaded() is not None)
        if __name__ == "__main__":
            library.refrain("a test")
            gpunet.tensor([1.0]).relu()
            for way in ("fork", "spawn"):
                print(*DataLoader(Kernels(), num_workers=1, multiprocessing_context=way))"""
    path = tmp_program(program)
    try:
        result = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    finally:
        os.unlink(path)
    assert result.stdout.split("\n")[:2] == ["tensor([0])", "tensor([0])"], result.stderr


def test_disabled_is_a_context():
    kernel = relu_op.op.native
    with native.disabled():
        assert relu_op.op.native is None
    assert kernel is not None and relu_op.op.native is not None


# ---- what a kernel is given ------------------------------------------------------------------------------------------


@pytest.fixture(params=["extension", "ctypes"])
def calls(request):
    """Both ways from Python to the kernels."""
    return library.loaded() if request.param == "extension" else plain


def guard(calls, **options):
    given = []

    def function(out, *inputs):
        given.append(inputs)

    types = tuple(np.dtype(name).num for name in options.get("types", ("float32",)))
    return calls.Guard(function, 1, options.get("strided", False), types), given


def array(*shape, dtype="float32"):
    return np.ones(shape, dtype)


def test_a_guard_lets_plain_arrays_pass(calls):
    call, given = guard(calls)
    out, x, index = array(3), array(3), array(3, dtype="int64")
    assert call(out, x, index, 2.0, None) is None
    assert given[0][0] is x and given[0][1] is index and given[0][2:] == (2.0, None)
    assert call(x, x) is None  # in place


@pytest.mark.parametrize("out, x", [
    (array(3), array(3, dtype="float64")), (array(3, dtype="float64"), array(3, dtype="float64")),
    (array(3, dtype="int64"), array(3, dtype="int64")), (array(3, dtype="float16"), array(3, dtype="float16")),
    (array(6)[::2], array(3)),
], ids=["mixed", "float64", "int", "half", "strided out"])
def test_a_guard_leaves_the_rest_to_the_body(calls, out, x):
    call, given = guard(calls)
    assert call(out, x) is NotImplemented and not given


def test_a_guard_leaves_overlaps_to_the_body(calls):
    base = array(9)
    for strided in (False, True):
        call, given = guard(calls, strided=strided)
        assert call(base[1:], base[:-1]) is NotImplemented and not given


def test_a_guard_copies_inputs_with_strides(calls):
    call, given = guard(calls)
    x = np.arange(6, dtype=np.float32).reshape(2, 3).T
    call(array(3, 2), x)
    assert given[0][0].flags.c_contiguous and (given[0][0] == x).all()
    call, given = guard(calls, strided=True)
    call(array(3, 2), x)
    assert given[0][0] is x


def test_arguments_that_no_kernel_takes(calls):
    copy = calls.Function(address_of("elementwise_unary"), "copy", True)
    with pytest.raises(TypeError, match="a native kernel takes arrays, numbers, None and tuples of them, not str"):
        copy(COPY, array(3), "three")


def address_of(name):
    import ctypes

    return ctypes.cast(library.symbol(name), ctypes.c_void_p).value


def test_calls_are_captured_and_repeated(calls):
    copy = calls.Function(address_of("elementwise_unary"), "copy", True)
    x, y, z = array(5) * 2, array(5), array(5)

    def both():
        copy(COPY, y, x)
        copy(COPY, z, 3.0)

    steps = calls.capture(both)
    assert (y == 1).all() and len(steps) == 2  # taken down, not carried out
    program = calls.Program([*steps, lambda: x.__imul__(2)])
    program()
    assert (y == 2).all() and (z == 3).all() and (x == 4).all()
    program()
    assert (y == 4).all()


def test_a_copy_cannot_be_captured(calls):
    call, _ = guard(calls)
    x = array(2, 3).T
    assert calls.capture(lambda: call(array(3, 2), x)) is None
    assert calls.capture(lambda: NotImplemented) is None


def test_compile_repeats_kernels_bit_for_bit():
    w = gpunet.randn(7, 5, requires_grad=True)

    def step(x):
        w.grad = None
        y = (x @ w.t()).relu()
        loss = (y[:, 1:].t().sum(0) * y.tanh().mean(1)).sum()
        loss.backward()
        return loss, w.grad

    compiled = gpunet.compile(step)
    for _ in range(4):
        x = gpunet.randn(6, 5)
        assert all((a == b).all() for a, b in zip(compiled(x), step(x), strict=True))


# ---- a kernel of one's own -------------------------------------------------------------------------------------------


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "scale.cpp"
    path.write_text('#include "args.h"\n#include "pool.h"\nusing namespace gpunet::cpu;\n'
                    "KERNEL void scale(const Arg* a) { float* y = ptr<float>(a[0]); const float* x = ptr<const float>"
                    "(a[1]); const double* d = ptr<const double>(a[3]);\n"
                    "  parallel(a[2].i, 2, [=](int64_t i, int64_t e) "
                    "{ for (; i < e; i++) y[i] = x[i] * d[0] + d[1]; }); }\n")
    scale = Native(path, "scale")

    @op(same)
    def scaled(xp, out, x):
        raise AssertionError("the body")

    @scaled.cpu
    def _(out, x):
        scale(out, x, x.size, (2.0, 0.5))

    assert scaled(gpunet.arange(5.0)).tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    with pytest.raises(RuntimeError, match="has no entry point of this name; declare it as KERNEL void other"):
        Native(path, "other")(1)


# ---- threads ---------------------------------------------------------------------------------------------------------


def test_numbers_of_threads():
    before = gpunet.get_num_threads()
    gpunet.set_num_threads(3)
    assert gpunet.get_num_threads() == 3
    gpunet.set_num_threads(before)
    with pytest.raises(RuntimeError, match="expects a positive integer"):
        gpunet.set_num_threads(0)
    with pytest.raises(TypeError, match="expects an int, but got float"):
        gpunet.set_num_threads(1.5)


@pytest.mark.parametrize("files, expected", [
    ({"self": "0::/a/b\n", "cgroup/a/b/cpu.max": "150000 100000", "cgroup/a/cpu.max": "max 100000"}, 1.5),
    ({"self": "0::/a\n", "cgroup/cpu.max": "50000 100000"}, 0.5),
    ({"self": "4:cpu,cpuacct:/x\n", "cgroup/cpu/cpu.cfs_quota_us": "300000",
      "cgroup/cpu/cpu.cfs_period_us": "100000"}, 3.0),
    ({"self": "4:cpu:/\n", "cgroup/cpu/cpu.cfs_quota_us": "-1", "cgroup/cpu/cpu.cfs_period_us": "100000"}, None),
    ({"self": "0::/\n"}, None), ({}, None),
])
def test_the_containers_quota(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads._quota(tmp_path / "cgroup", tmp_path / "self") == expected


def test_several_python_threads_compute_at_once():
    x = gpunet.randn(300, 400)
    expected = (x @ x.t()).tanh().numpy()
    wrong = []

    def work():
        for _ in range(20):
            if not ((x @ x.t()).tanh().numpy() == expected).all():
                wrong.append(1)

    before = gpunet.get_num_threads()
    gpunet.set_num_threads(3)
    running = [threading.Thread(target=work) for _ in range(4)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    gpunet.set_num_threads(before)
    assert not wrong


def test_after_a_fork():
    program = """
        import os, warnings
        import gpunet, gpunet.native
        warnings.simplefilter("ignore")
        assert gpunet.native.wait()
        gpunet.set_num_threads(3)
        x = gpunet.ones(300, 400)
        sums = (x @ x.t()).sum().item()
        child = os.fork()
        right = all((x @ x.t()).sum().item() == sums for _ in range(5))
        if child == 0:
            os._exit(0 if right else 1)
        print(os.waitpid(child, 0)[1], right)"""
    assert run(program) == "0 True"


# ---- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif("not memory.statistics()")
def test_a_training_step_allocates_nothing():
    model = gpunet.nn.Sequential(gpunet.nn.Linear(200, 300), gpunet.nn.ReLU(), gpunet.nn.Linear(300, 100))
    optimizer = gpunet.optim.SGD(model.parameters(), lr=0.1)
    x = gpunet.randn(64, 200)

    def step():
        optimizer.zero_grad()
        (model(x).tanh() * 2).square().mean().backward()
        optimizer.step()

    for _ in range(3):
        step()
    before = memory.statistics()
    for _ in range(3):
        step()
    after = memory.statistics()
    assert after["fresh"] == before["fresh"] and after["reused"] > before["reused"]
    assert after["in_use"] == before["in_use"]


@pytest.mark.skipif("not memory.statistics()")
def test_memory_is_given_back():
    x = memory.empty((1000, 1000), np.dtype("float32"))
    assert x.flags.owndata and x.ctypes.data % 64 == 0
    x[:] = 3
    x.resize((2000, 1000), refcheck=False)
    assert x[999, 999] == 3 and x[1999, 999] == 0
    del x
    assert memory.statistics()["kept"] >= 4_000_000
    memory.empty_cache()
    assert memory.statistics()["kept"] == 0


# ---- the build -------------------------------------------------------------------------------------------------------


def test_keys_follow_sources_headers_and_levels(tmp_path, monkeypatch):
    import shutil

    copy = tmp_path / "cpu"
    shutil.copytree(toolchain.folder(), copy)
    monkeypatch.setattr(toolchain, "folder", lambda: copy)
    before = toolchain._keys()
    (copy / "pool.cpp").write_text((copy / "pool.cpp").read_text() + "\n")
    after = toolchain._keys()
    assert [path.name for path in before if before[path] != after[path]] == ["pool.cpp"]
    (copy / "vec.h").write_text((copy / "vec.h").read_text() + "\n")
    assert not set(toolchain._keys().values()) & set(after.values())
    calls = toolchain._extension_parts()
    (copy / "python" / "memory.h").write_text((copy / "python" / "memory.h").read_text() + "\n")
    assert toolchain._extension_parts() != calls
    if "x86-64-v3" in toolchain.levels_here():
        assert not set(toolchain._keys("x86-64-v3").values()) & set(toolchain._keys().values())


def test_prebuilt_libraries_serve_without_a_compiler(tmp_path, monkeypatch):
    level = toolchain.levels_here()[0]
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GPUNET_CXX", "/nowhere/g++")
    monkeypatch.setattr(toolchain, "_PREBUILT", tmp_path / "prebuilt")
    toolchain.host.compiler.cache_clear()
    try:
        assert toolchain.find() is None
        (tmp_path / "prebuilt").mkdir()
        path = tmp_path / "prebuilt" / f"{toolchain._shipped_key(level)}-0.so"
        path.touch()
        assert toolchain.find() == (path, None)  # of another Python: ctypes calls
        extension = tmp_path / "prebuilt" / f"{toolchain._shipped_extension_key()}-0.so"
        extension.touch()
        assert toolchain.find() == (path, extension)
    finally:
        toolchain.host.compiler.cache_clear()


def test_a_level_that_is_not_there():
    with pytest.raises(RuntimeError, match="there is no level 'x86-64-v9'; the levels are x86-64-v4"):
        toolchain.build_level("x86-64-v9")


def test_the_handle_says_what_is_wrong():
    assert repr(_unary) == "Native('elementwise_unary.cpp', 'elementwise_unary')"
    with pytest.raises(RuntimeError, match="elementwise_unary.cpp has no entry point of this name"):
        Native("elementwise_unary.cpp", "no_such_kernel")()
