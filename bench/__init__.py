"""Benchmarks: gpunet against the hardware's limits and against its peers, side by side in one run.

    pytest bench [--device cpu|sim|cuda]           the suites, with pytest-benchmark's options
    python -m bench.gpu                            whether a GPU machine works, within 120 seconds; then its figures
    python -m bench.dispatch                       Python overhead per op
    python -m bench.training                       the MLP's training step
    python -m bench.layers                         image layers on the CPU
    python -m bench.int8                           layers of 8-bit integers on the CPU
    python -m bench.loader                         the DataLoader, with and without workers
    python -m bench.trainer                        the Trainer's step beside the same loop by hand
    python -m bench.import_time                    import gpunet against import numpy
    python -m bench.checker                        the simulator's launches, fast and under the checker
    python -m bench.engines                        the simulator's two engines beside each other
    python -m bench.report bench/results/X.json    the tables of a result, as Markdown

The checker's finds on the Indigo suite of planted bugs, which must be there: indigo/.

Each takes --quick: tiny sizes, to see that it works. How they measure: measure.py. What a figure was measured on:
environment.py. Peers (PyTorch, Triton, CuPy) take part where they can be imported. README.md beside this file says how
to use them; the tests run each of these commands to its end at tiny sizes. The library that they use is
`gpunet.benchmark`.
"""
