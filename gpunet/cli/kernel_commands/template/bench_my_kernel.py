"""How fast my_kernel is, on a machine with a GPU: `gpunet kernel bench my_kernel`."""

from my_kernel import my_kernel

from gpunet.benchmark import Case, Contest, Lab, relative_error


def cases(tiny):
    for size in (1000,) if tiny else (1 << 20, 1 << 24, 1 << 28):
        yield Case("my_kernel", f"{size:,} elements", lambda lab, size=size: contest(lab, size))


def contest(lab: Lab, size: int) -> Contest:
    """Ours against other libraries. A call reads and writes each element once, and does 3 operations with it."""
    amounts = {"bytes": 8 * size, "operations": 3 * size}
    sets = lab.sets(amounts["bytes"])  # inputs in turn, so many that none is still in the GPU's cache
    calls = lab.calls(sets, amounts["operations"], amounts["bytes"])
    inputs, outs = [lab.random(size) for _ in range(sets)], [lab.empty(size) for _ in range(sets)]
    works = {"gpunet": lab.ours(my_kernel, [((outs[i % sets],), [inputs[i % sets]]) for i in range(calls)], {})}
    if lab.type != "sim":
        works[lab.library] = lab.turns(lambda i: inputs[i] / (1 + abs(inputs[i])), sets, calls)
    if lab.torch is not None:
        theirs = [lab.to_torch(x) for x in inputs]
        works["PyTorch"] = lab.turns(lambda i: lab.torch.nn.functional.softsign(theirs[i]), sets, calls)

    def error():
        x = inputs[0].astype("float64")
        return relative_error(lab, outs[0], x / (1 + abs(x)))

    return Contest(works, amounts, error)
