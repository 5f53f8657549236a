"""Which ops compute on a GPU by the array library's functions: python -m tests.census

Every row of tests/cases is called in its first type, forward and backward, on the device `sim` with kernels that do
nothing: whether a launch serves is decided before it. Printed are the ops whose kernels served every call, those whose
kernels left calls to the body, with how many of which types, and those that have no kernel.
"""

import warnings
from collections import Counter, defaultdict

import gpunet
from gpunet.devices.cuda import CudaDevice
from tests.cases import CASES
from tests.oracle import Ours, cotangents, float_results, results


class Idle(CudaDevice):
    """The device `sim`, whose kernels do nothing; it notes who computes."""

    served: Counter = Counter()
    left: defaultdict = defaultdict(Counter)
    without: Counter = Counter()

    def run(self, op, outs, arrays, attrs):
        if op.launch is not None and self._launch(op.launch, op.strided, outs, arrays, attrs) is not NotImplemented:
            self.served[op.name] += 1
            return
        if op.launch is None:
            self.without[op.name] += 1
        else:
            types = {a.dtype.name for a in (*outs, *arrays) if hasattr(a, "dtype")}
            self.left[op.name][", ".join(sorted(types))] += 1
        op.body(self.xp, *outs, *arrays, **attrs)


def call(library, case):
    """A row, forward and backward; what the numbers that nobody computed make impossible is let go."""
    tensors = case.tensors(library, case.dtypes[0])
    inputs = [t.requires_grad_() for name, t in tensors.items() if t.dtype.is_floating_point
              and case.inputs[name].grad and case.inputs[name].kind == "value"]
    floats = [y for y in float_results(library, results(case(library, tensors))) if y.requires_grad]
    if floats:
        library.grad(floats, inputs, cotangents(library, floats))


def main():
    device: CudaDevice = gpunet.devices.get("sim")
    device.__class__ = Idle
    device.load = lambda *_: lambda grid, block, args, shared_mem=0: None
    device.check_errors = lambda: None
    library, stopped = Ours("sim"), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            try:
                call(library, case)
            except (RuntimeError, ValueError, ArithmeticError, IndexError):
                stopped += 1
    partly, whole = Idle.left, sorted(set(Idle.served) - set(Idle.left))
    print(f"{len(CASES)} rows, {stopped} stopped by their values")
    print(f"\n{len(whole)} ops by kernels alone: {', '.join(whole)}")
    print(f"\n{len(partly)} ops of which kernels left calls to the array library (calls of kernels; left, by type):")
    for name, types in sorted(partly.items()):
        print(f"  {name}: {Idle.served[name]}; " + "; ".join(f"{count} of {each}" for each, count in types.items()))
    print(f"\n{len(Idle.without)} ops without a kernel: "
          + ", ".join(f"{name} ({count})" for name, count in Idle.without.most_common()))


if __name__ == "__main__":
    main()
