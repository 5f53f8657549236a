"""The kernels (on cpu and sim: the ops' bodies and the simulated kernels) against limits and peers."""

from bench.kernels import cases, check


def pytest_generate_tests(metafunc):
    option = metafunc.config.getoption
    found = list(cases(option("--device"), option("--quick")))
    metafunc.parametrize("case", found, ids=[f"{case.group} {case.name}" for case in found])


def test_kernel(case, lab, race):
    contest = case.build(lab)
    ours = "gpunet" if "gpunet" in contest.works else next(iter(contest.works))
    race(case.group, case.name, contest.works, lab.clock, ours=ours, amounts=contest.amounts)
    check(lab, case, contest)
    lab.free()
