"""gpunet under the name `torch`, in processes of their own."""

import json
import subprocess
import sys

import pytest

from tests.compat.names import ROOT
from tests.compat.test_programs import under_alias

PROGRAM = '''
import importlib.util, json, os, pickle, sys
import torch, torchvision
import torch.nn as nn
import torch.nn.functional as F
import torch.multiprocessing as mp
from torch import optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
import gpunet


def fill(index, x):
    x[index] = index + 1.0


def fails(index):
    raise ValueError("on purpose")


def error_of(function, *kinds):
    try:
        function()
    except kinds as error:
        return str(error)


if __name__ == "__main__":
    found = {"arguments": sys.argv[1:], "file": os.path.basename(__file__), "main": __name__}
    found["same"] = [torch.nn is gpunet.nn, torch.Tensor is gpunet.Tensor, nn.Linear is gpunet.nn.Linear,
                     optim is gpunet.optim, DataLoader is gpunet.data.DataLoader, transforms is gpunet.data.transforms,
                     datasets is gpunet.data.datasets, isinstance(nn.Linear(1, 1).weight, torch.nn.Parameter)]
    found["shown"] = [str(torch.float32), str(torch.ones(2).shape), torch.ones(1).type(), repr(torch.strided)]
    found["versions"] = [torch.__version__ >= "2.0", torch.__version__ >= (1, 13), torchvision.__version__ > "0.9"]
    layer = nn.Linear(2, 1)
    found["compile"] = [torch.compile(layer) is layer, torch.compile(mode="max-autotune")(fill) is fill]
    found["gone"] = [error_of(lambda: torch.fft.rfft, AttributeError),
                     error_of(lambda: exec("from torch import fft"), ImportError),
                     error_of(lambda: exec("import torch.sparse"), ImportError),
                     error_of(lambda: exec("from torch import nonsense"), ImportError),
                     error_of(lambda: exec("import torch.nonsense.below"), ImportError),
                     error_of(lambda: exec("import torchvision.io"), ImportError),
                     error_of(lambda: torchvision.io, AttributeError),
                     error_of(lambda: exec("from torchvision.models import inception_v3"), ImportError),
                     error_of(lambda: torchvision.models.Swin_T_Weights, AttributeError)]
    found["specs"] = [importlib.util.find_spec(name) is not None for name in
                      ("torch", "torch.nn", "torch.utils.data.dataloader", "torchvision.transforms", "torch.nonsense")]
    found["listed"] = {"Tensor", "nn", "cuda", "ones"} <= set(dir(torch)) and hasattr(torch, "hub")
    shared = torch.zeros(3).share_memory_()
    mp.spawn(fill, args=(shared,), nprocs=2)
    process = mp.get_context("fork").Process(target=fill, args=(2, shared))
    process.start()
    process.join()
    found["shared"] = shared.tolist()
    found["raised"] = error_of(lambda: mp.spawn(fails), mp.ProcessRaisedException)
    model = nn.Linear(2, 2).share_memory()
    copy = pickle.loads(mp.reduction.ForkingPickler.dumps(model.weight.data.clone()))
    found["copied"] = not copy.is_shared() and model.weight.is_shared()
    print(json.dumps(found))
'''


@pytest.fixture(scope="module", params=["script", "module"])
def found(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alias")
    (folder / "program.py").write_text(PROGRAM)
    if request.param == "script":
        done = under_alias(folder / "program.py", "--lr", "0.1")
    else:  # a package, which the working folder holds
        (folder / "package").mkdir()
        (folder / "package" / "__main__.py").write_text("from . import part\n" + PROGRAM)
        (folder / "package" / "part.py").write_text("")
        done = under_alias("-m", "package", "--lr", "0.1", folder=folder)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def test_a_program_is_run_as_python_runs_it(found):
    assert found["arguments"] == ["--lr", "0.1"] and found["main"] == "__main__"
    assert found["file"] in ("program.py", "__main__.py")


def test_the_names_are_gpunets(found):
    assert all(found["same"]) and found["listed"]
    assert found["shown"] == ["torch.float32", "torch.Size([2])", "torch.FloatTensor", "torch.strided"]
    assert all(found["versions"]) and all(found["compile"])


def test_what_is_not_there_says_so(found):
    fft, again, sparse, unknown, path, vision, attribute, model, weights = found["gone"]
    assert fft == again and fft.startswith("gpunet.fft does not exist: ") and "NumPy" in fft
    assert sparse.startswith("gpunet.sparse does not exist: ")
    assert "cannot import name 'nonsense' from 'torch'" in unknown and path == "No module named 'torch.nonsense'"
    assert vision == "No module named 'torchvision.io'" and attribute == "module 'torchvision' has no attribute 'io'"
    assert "put its class into your program" in model and model.split(": ")[1] == weights.split(": ")[1]
    assert found["specs"] == [True, True, True, True, False]


def test_processes_share_tensors_and_have_the_alias(found):
    assert found["shared"] == [1.0, 2.0, 3.0] and found["copied"]
    assert "on purpose" in found["raised"] and "Process 0" in found["raised"]


@pytest.mark.parametrize("arguments, message", [
    ((), "usage: "), (("-m",), "usage: "), (("--nonsense",), "usage: "),
    (("no_such_script.py",), "cannot read the program no_such_script.py: No such file"),
    (("-m", "no_such_module"), "cannot run the module no_such_module: there is no Python module no_such_module")])
def test_no_program(arguments, message):
    done = under_alias(*arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_programs_exit_is_its_own(tmp_path):
    (tmp_path / "program.py").write_text("import sys, torch\nsys.exit(int(torch.tensor(5)))")
    assert under_alias(tmp_path / "program.py").returncode == 5


def run(program):
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)


def test_installing_by_an_import():
    done = run("import gpunet.torch_compat, gpunet.torch\nimport torch\nprint(torch.nn.__name__)\n"
               "gpunet.torch.install()\ngpunet.torch.uninstall()\n"
               "import sys\nprint('torch' in sys.modules, gpunet.torch.installed(), gpunet.float32)")
    assert done.stdout.splitlines() == ["gpunet.nn", "False False gpunet.float32"], done.stderr


def test_real_torch_is_left_alone():
    done = run("import sys, types\nsys.modules['torch'] = types.ModuleType('torch')\n"
               "try:\n    import gpunet.torch_compat\nexcept RuntimeError as error:\n    print(error)")
    assert done.stdout.startswith("gpunet.torch: the real torch is already imported") and not done.stderr
