"""Benchmarks: gpunet against the hardware's limits and against its peers, side by side in one run.

    pytest bench [--device cpu|sim|cuda]           the suites, with pytest-benchmark's table
    python -m bench.gpu                            everything that a GPU machine must show; one JSON, within 10 minutes
    python -m bench.dispatch                       Python overhead per op
    python -m bench.training                       the MLP's training step
    python -m bench.layers                         image layers on the CPU
    python -m bench.import_time                    import gpunet against import numpy
    python -m bench.checker                        the simulator's launches, fast and under the checker
    python -m bench.report bench/results/X.json    the tables of a result, as Markdown

How they measure: measure.py. What a figure was measured on: environment.py. Peers (PyTorch, Triton, CuPy) take part
where they can be imported. Nothing here is part of the tests.
"""
