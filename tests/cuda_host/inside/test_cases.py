"""Every row of tests/cases, forward and backward in all its types: on the second of two GPUs, so that work that lands
on the current device instead of the tensor's shows too."""

import pytest

import gpunet
from tests.cases.table import WARNED
from tests.cuda_host.inside.counting import counts
from tests.ops.test_cases import rows
from tests.oracle import Ours, cotangents, float_results, results

pytestmark = [pytest.mark.filterwarnings(each) for each in WARNED]

CPU, GPU = Ours(), Ours("cuda:1")

# The shape of these results depends on values, which the stand-in does not compute.
DATA_DEPENDENT = ("x[c", "x[k]*2", "x[~c]", "x[x>", "nonzero", "argwhere", "masked_select", "unique", "bincount")

# These are computed with numbers that the host reads.
NEEDS_VALUES = ("embedding_bag(x,w,o,mode='max'", "embedding_bag(x,w,mode='max'")


def described(library, case, dtype):
    """Shape, type and kind of device of a row's results and gradients."""
    with gpunet.device(library.device):
        tensors = case.tensors(library, dtype)
        inputs = [t.requires_grad_() for name, t in tensors.items() if t.dtype.is_floating_point
                  and case.inputs[name].grad and case.inputs[name].kind == "value"]
        outputs = results(case(library, tensors))
        floats = [y for y in float_results(library, outputs) if y.requires_grad]
        gradients = library.grad(floats, inputs, cotangents(library, floats)) if floats else []
    found = [*outputs, *gradients]
    assert all(t.device == gpunet.device(library.device) for t in found if gpunet.is_tensor(t))
    return [(tuple(t.shape), t.dtype) if gpunet.is_tensor(t) else type(t) for t in found]


@rows()
def test_row(case):
    if case.text.replace(" ", "").replace("nn.functional.", "").startswith(NEEDS_VALUES):
        return
    before = counts(0)
    for dtype in case.dtypes:
        found = described(GPU, case, dtype)
        if not any(text in case.text.replace(" ", "") for text in DATA_DEPENDENT):
            assert found == described(CPU, case, dtype), dtype
    gpunet.devices.get("cuda:1").synchronize()
    assert counts(0) == before, "work for cuda:1 was done on GPU 0"
