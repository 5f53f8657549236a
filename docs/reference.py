"""An MkDocs hook that writes the reference while the site is built: a page a public module, a section a family.

A family is the file in which functions are defined; its title is the first line of that file's docstring.
"""

import importlib
import inspect

from mkdocs.structure.files import File, Files

PAGES = {
    "gpunet": "Tensors and the functions on them.",
    "gpunet.nn": None, "gpunet.nn.functional": None, "gpunet.nn.init": None, "gpunet.nn.utils": None,
    "gpunet.optim": None, "gpunet.optim.lr_scheduler": None, "gpunet.data": None, "gpunet.data.datasets": None,
    "gpunet.data.transforms": None, "gpunet.data.transforms.functional": None, "gpunet.vision.utils": None,
    "gpunet.autograd": None, "gpunet.autograd.functional": None, "gpunet.amp": None, "gpunet.cuda": None,
    "gpunet.accelerator": None, "gpunet.profiler": None, "gpunet.linalg": None, "gpunet.distributions": None,
    "gpunet.func": None, "gpunet.train": None,
    "gpunet.metrics": None, "gpunet.models": None, "gpunet.sklearn": None, "gpunet.vision.ops": None,
    "gpunet.keras": None, "gpunet.keras.layers": None, "gpunet.keras.models": None, "gpunet.keras.losses": None,
    "gpunet.keras.metrics": None, "gpunet.keras.optimizers": None, "gpunet.keras.schedules": None,
    "gpunet.keras.callbacks": None, "gpunet.keras.initializers": None, "gpunet.keras.activations": None,
    "gpunet.keras.utils": None, "gpunet.keras.datasets": None,
    "gpunet.interpret": None, "gpunet.privacy": None, "gpunet.compress": None,
    "gpunet.sim": None,
    "gpunet.dispatch": None, "gpunet.kernel": None,
}


def public(module):
    """The public names that a module gives, with what they are."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    for name in sorted(names):
        member = getattr(module, name)
        defined = getattr(member, "__module__", None)
        if (inspect.isfunction(member) or inspect.isclass(member)) and (defined or "").startswith("gpunet"):
            yield name, member


def page(name: str, opening: str | None) -> str:
    module = importlib.import_module(name)
    families: dict[str, list[str]] = {}
    for public_name, member in public(module):
        if member.__name__ == public_name:
            families.setdefault(member.__module__, []).append(public_name)
    text = [f"# {name}\n", opening or inspect.getdoc(module) or ""]
    for family, members in sorted(families.items()):
        title = (inspect.getdoc(importlib.import_module(family)) or family).split("\n")[0].split(": ")[0].rstrip(".")
        if len(families) > 1:
            text.append(f"## {title}\n")
        text += [f"::: {family}.{member}\n    options:\n      heading_level: 3\n" for member in members]
    return "\n\n".join(text)


def on_files(files: Files, *, config) -> None:
    """Adds the pages to those that MkDocs has found."""
    index = ["# Reference\n", "| module | |\n|---|---|"]
    for name, opening in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page(name, opening)))
        first = (opening or inspect.getdoc(importlib.import_module(name)) or "").split("\n")[0]
        index.append(f"| [{name}]({name}.md) | {first} |")
    files.append(File.generated(config, "reference/index.md", content="\n".join(index)))
