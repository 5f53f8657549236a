"""A warning points at the user's line: of the function, and of the layer that calls it."""

import warnings

import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import amp, nn, optim


def step_first():
    optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=0.1)
    optim.lr_scheduler.StepLR(optimizer, 1).step()


X, ROW = gpunet.zeros(2, 3), gpunet.zeros(3)
TABLE = {
    "mse_loss": lambda: F.mse_loss(X, ROW), "MSELoss": lambda: nn.MSELoss()(X, ROW),
    "inside Sequential": lambda: nn.Sequential(nn.Softmax())(X), "softmax": lambda: F.softmax(X),
    "dropout2d": lambda: F.dropout2d(X), "Dropout2d": lambda: nn.Dropout2d()(X),
    "size_average": lambda: F.mse_loss(X, X, size_average=True), "reduce": lambda: nn.CrossEntropyLoss(reduce=False),
    "LSTM": lambda: nn.LSTM(2, 2, dropout=0.5), "InstanceNorm1d": lambda: nn.InstanceNorm1d(3)(gpunet.zeros(2, 4, 3)),
    "Linear": lambda: nn.Linear(0, 3), "init": lambda: nn.init.kaiming_uniform_(gpunet.zeros(0, 2)),
    "Hardtanh": lambda: nn.Hardtanh(min_value=-2), "meshgrid": lambda: gpunet.meshgrid(ROW, ROW),
    "autocast": lambda: gpunet.autocast("cpu", dtype=gpunet.float32),
    "cuda autocast": lambda: gpunet.cuda.amp.autocast(dtype=gpunet.float32),
    "uint8 mask": lambda: X[gpunet.zeros(2, dtype=gpunet.uint8)],
    "out": lambda: gpunet.add(X, X, out=gpunet.zeros(5)), "cov": lambda: gpunet.cov(gpunet.zeros(1)),
    "load_state_dict": lambda: nn.Linear(2, 3, device="meta").load_state_dict(nn.Linear(2, 3).state_dict()),
    "scheduler": step_first,
}
if not gpunet.cuda.is_available():
    TABLE |= {"GradScaler": amp.GradScaler, "cuda GradScaler": lambda: gpunet.cuda.amp.GradScaler()}


@pytest.mark.parametrize("call", TABLE.values(), ids=TABLE)
def test_a_warning_points_here(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    assert found and {each.filename for each in found} == {__file__}
