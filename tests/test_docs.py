"""What the documents show is what the tool prints. `python tests/test_docs.py` writes the outputs anew.

A fenced block `cuda title="NAME"` is a file; in a block `console` each line that begins with `$ gpunet` is run, and
what follows it is the output. Seconds differ from run to run and do not count. Blocks `python` and `pycon` run too.
"""

import doctest
import os
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r'^```(cuda|console)(?: title="([^"\n]+)")?\n(.*?)^```$', re.M | re.S)

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")


def replayed(text: str) -> str:
    """The document with its commands run here, in the current folder."""
    def block(match):
        kind, name, body = match.groups()
        if kind == "cuda":
            if name:
                Path(name).write_text(body)
            return match.group()
        commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", body, re.M)
        return "```console\n" + "\n".join(f"$ {each}\n{run(each)}" for each in commands) + "```"

    return _BLOCK.sub(block, text)


def run(command: str) -> str:
    from gpunet.cli import main

    program, *arguments = shlex.split(command.replace("\\\n", " "))
    assert program == "gpunet", command
    return CliRunner().invoke(main, arguments, prog_name="gpunet").output


def without_seconds(text: str) -> str:
    return re.sub(r"\([\d.e+-]+ s\)", "(s)", text)


@pytest.mark.parametrize("document", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_the_fences_are_those_that_the_site_knows(document):
    """With anything else behind its language a block is text in the page, and mkdocs says nothing."""
    fences = re.findall(r"^```(.*)$", document.read_text(), re.M)
    assert [each for each in fences if not re.fullmatch(r'(\w+( title="[^"]+")?)?', each)] == []


@needs_compiler
@pytest.mark.parametrize("document", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_outputs_are_true(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = document.read_text()
    assert without_seconds(replayed(text)) == without_seconds(text)


@needs_compiler
def test_the_readme_shows_what_its_command_prints(monkeypatch):
    readme = (DOCS.parent / "README.md").read_text()
    (block,) = re.findall(r"\n\n((?:    .*\n)*    race: .*\n(?:    .*\n)*)", readme)
    (command,) = re.findall(r"^    (gpunet kernel check (?:.*\\\n)*.*)$", readme, re.M)
    monkeypatch.chdir(DOCS.parent)
    assert textwrap.dedent(block) in run(command)


def test_the_example_is_the_documents():
    (text,) = re.findall(r'^```cuda title="moved.cu"\n(.*?)^```$', (DOCS / "checker.md").read_text(), re.M | re.S)
    assert (DOCS.parent / "examples" / "kernels" / "moved.cu").read_text() == text


def test_the_grammar_is_that_of_the_code():
    from gpunet.cli.kernel_commands import spec

    rules = re.findall(r"^    \w+ +:= .*$", spec.__doc__.split("TYPE     :=")[0], re.M)
    assert len(rules) == 5 and all(rule.split("   ")[0] in (DOCS / "checker.md").read_text() for rule in rules)


@needs_compiler
@pytest.mark.parametrize("document", [path for path in sorted(DOCS.glob("*.md")) if "```py" in path.read_text()],
                         ids=lambda path: path.name)
def test_the_python_runs(document, tmp_path, monkeypatch):
    """A page's blocks `python` run one after the other; those called `pycon` also show what they print."""
    monkeypatch.chdir(tmp_path)
    text, names = document.read_text(), {"__name__": "page"}
    for name, body in re.findall(r'^```cuda title="([^"\n]+)"\n(.*?)^```$', text, re.M | re.S):
        Path(name).write_text(body)
    for kind, body in re.findall(r"^```(python|pycon)\n(.*?)^```$", text, re.M | re.S):
        if kind == "python":
            exec(body, names)
        else:
            example = doctest.DocTestParser().get_doctest(body, names, document.name, str(document), None)
            example.globs = names  # what a block defines, the next ones use
            assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, clear_globs=False).failed == 0


if __name__ == "__main__":
    paths = sorted(DOCS.glob("*.md"))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for path in paths:
            path.write_text(replayed(path.read_text()))
    sys.exit()
