"""Runs the programs in full and writes the gallery: pictures, figures and README.md.

    python -m examples              # all of them: three to ten minutes
    python -m examples vae gan      # these
"""

import argparse
import importlib
import inspect
import json
import sys
import time
from pathlib import Path

from gpunet import native

FOLDER = Path(__file__).parent
PICTURES = FOLDER / "pictures"
FIGURES = PICTURES / "figures.json"

# Subject -> its programs, in the order of the gallery.
SUBJECTS = {
    "Optimization": ["optimization_paths"],
    "Networks": ["three_readers", "attention_maps", "language_model", "six_ways"],
    "Data and classification": ["classifying", "leakage"],
    "Generative models": ["vae", "adversarial_autoencoder", "gan", "recurrent_gan", "diffusion"],
    "With few labels, or none": ["fine_tuning", "self_supervised", "fixmatch", "deep_clustering"],
    "Detection": ["detection"],
    "Robustness": ["adversarial_examples"],
    "Interpretability": ["interpret"],
    "Privacy": ["privacy", "federated"],
    "Small and fast models": ["compress"],
    "Reinforcement learning": ["policy_gradients", "q_learning"],
}
OPENING = """\
# Programs

Each is short, runs on data that come with gpunet in less than a minute on two cores of a CPU, draws its picture and
prints what it learned. The tests run them all with `--quick`.

    pip install -e ".[examples]"
    python examples/optimization_paths.py     # --device sim|cuda, --quick, --out FOLDER
    python -m examples                        # all of them: writes this page, its pictures and figures

To begin with: `mlp.py` is a training loop written out, `pytorch_mnist.py` a PyTorch program of which only the imports
were changed, `keras_digits.py` the same for Keras. `frame.py` is what the programs share; `judge.py` measures generated
digits, and `carts.py` is the environment of reinforcement learning.
"""
PROGRAMS = [name for names in SUBJECTS.values() for name in names]


def load(name: str):
    """A program as a module; it finds `frame.py` beside it, as when it is run by its path."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    return importlib.import_module(name)


def readme(figures: dict[str, dict[str, float]]) -> str:
    """The gallery: of each program its title, its picture and its figures."""
    parts = [OPENING]
    for subject, names in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        for name in names:
            title, _, text = inspect.getdoc(load(name)).partition("\n\n")
            text = text.split("\n\n")[0]
            numbers = " · ".join(f"{key.replace('_', ' ')} **{load('frame').number(value)}**"
                                 for key, value in figures[name].items())
            parts.append(f"### [{name}.py]({name}.py)\n\n{title}\n\n{text}\n\n"
                         f"![{title.splitlines()[0]}](pictures/{name}.png)\n\n{numbers}\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", help="names of programs (all, if none is given)")
    parser.add_argument("--device", default="cpu", help="cpu, sim (the CUDA kernels without a GPU: hours) or cuda")
    arguments = parser.parse_args()
    unknown = set(arguments.programs) - set(PROGRAMS)
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}. There are: {', '.join(PROGRAMS)}.")
    PICTURES.mkdir(exist_ok=True)
    native.wait()  # for the CPU's kernels, if they are still being compiled
    for name in arguments.programs or PROGRAMS:
        start = time.perf_counter()
        found = load(name).main(device=arguments.device, quick=False, out=PICTURES)
        figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        figures[name] = {key: float(f"{value:.5g}") for key, value in found.items()}
        print(f"{name:24} {time.perf_counter() - start:5.1f} s  "
              + "  ".join(f"{key} {load('frame').number(value)}" for key, value in found.items()), flush=True)
        figures = {name: figures[name] for name in PROGRAMS if name in figures}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    if len(figures) == len(PROGRAMS):
        (FOLDER / "README.md").write_text(readme(figures))


if __name__ == "__main__":
    main()
