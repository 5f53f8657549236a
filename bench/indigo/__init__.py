"""The kernel checker on Indigo, the field's suite of irregular codes with planted bugs.

    python -m bench.indigo FOLDER [--engine cxx|ptx] [--types int] [--every N] [--only TEXT] [--seconds S]
                           [--out FILE.json]

FOLDER holds a checkout of IndigoSuite (its templates, Generators/CUDA_sources/*.idg, may lie anywhere below), and may
hold the graphs of HiRace's artifact (*.egr), on which that tool and others have been measured; graphs that are not
there are drawn here, of the same kinds and sizes. Every template is expanded to its codes, each code is run under the
checker on those graphs and on small ones, and what is found is compared with the bugs that the code's name tells, and
with the lines at which they stand. --engine says which checker: the one of the source, or the one of its PTX.

    suite.py    templates to codes; graphs and arguments, as the suite's main program makes them
    run.py      one code under the checker
    tables.py   what is printed
    own/        two templates in Indigo's manner: what is run without FOLDER, or with --quick
"""
