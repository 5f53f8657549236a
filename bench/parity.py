"""The differences between the CPU and a device that every row of tests/cases shows: values and gradients in float32.

`abs` and `rel` are the largest differences; `of_bound` is the largest difference as a share of what the row allows
(absolute + relative * |expected|), so that above 1 the row fails.
"""

from __future__ import annotations

import random

import numpy as np


def difference(found: np.ndarray, expected: np.ndarray, bound: tuple[float, float]) -> dict[str, float]:
    """The largest absolute and relative difference, and the largest share of the bound; NaN equals NaN."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return {"abs": float("inf"), "rel": float("inf"), "of_bound": float("inf")}
    a, e = found.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    a, e = a[~same], e[~same]
    if not a.size:
        return {"abs": 0.0, "rel": 0.0, "of_bound": 0.0}
    with np.errstate(all="ignore"):
        apart = np.nan_to_num(np.abs(a - e), nan=np.inf)
        allowed = bound[1] + bound[0] * np.abs(e) if found.dtype.kind == "f" else np.zeros_like(e)
        size = np.abs(e)
        return {"abs": float(apart.max()), "rel": float(np.max(np.where(size > 0, apart / size, np.inf))),
                "of_bound": float(np.nan_to_num(apart / allowed, nan=np.inf).max())}


def worst(differences: list[dict[str, float]]) -> dict[str, float]:
    return {key: max([d[key] for d in differences], default=0.0) for key in ("abs", "rel", "of_bound")}


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    from tests.cases import CASES
    from tests.ops.test_cases import OURS, gradients
    from tests.oracle import Ours, results

    device = Ours(options.device)
    rows = [case for case in CASES if "float32" in case.dtypes]
    random.Random(0).shuffle(rows)  # however far it comes, every family has its share
    rows = rows[:60] if options.quick else rows
    for number, case in enumerate(rows):
        if options.left() < 5:
            raise TimeoutError(f"out of time: {len(rows) - number} of {len(rows)} rows were left out; --stages "
                               "environment,parity gives them all the time")
        row = {"case": case.id}
        try:
            pairs = zip(results(case(device, case.tensors(device, "float32"))),
                        results(case(OURS, case.tensors(OURS, "float32"))), strict=True)
            row["value"] = worst([difference(device.array(y), OURS.array(e), case.sim) for y, e in pairs])
            if case.differentiable:
                pairs = zip(gradients(device, case, "float32"), gradients(OURS, case, "float32"), strict=True)
                row["gradient"] = worst([difference(g, e, case.sim) for g, e in pairs])
        except Exception as error:  # one row that cannot be computed does not hide the others
            row["error"] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        emit(row)
