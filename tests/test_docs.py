"""What the documentation promises: docstrings are complete, the README's examples run."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
NAMESPACES = [
    "skbayes",
    "skbayes.active",
    "skbayes.callbacks",
    "skbayes.active.acquisition",
    "skbayes.active.batch",
    "skbayes.active.density",
    "skbayes.active.disagreement",
    "skbayes.active.dropout",
    "skbayes.active.expected_error",
    "skbayes.active.journal",
    "skbayes.active.multilabel",
    "skbayes.active.notebook",
    "skbayes.active.oracles",
    "skbayes.active.stopping",
    "skbayes.active.uncertainty",
    "skbayes.active.utils.combination",
    "skbayes.active.utils.data",
    "skbayes.active.utils.selection",
    "skbayes.active.utils.validation",
    "skbayes.datasets",
    "skbayes.diagnostics",
    "skbayes.metrics",
    "skbayes.model_selection",
]


def public_objects():
    for namespace in NAMESPACES:
        module = importlib.import_module(namespace)
        for name in module.__all__:
            thing = getattr(module, name)
            is_exception = inspect.isclass(thing) and issubclass(thing, Exception)
            if callable(thing) and not is_exception:
                yield pytest.param(getattr(module, name), id=f"{namespace}.{name}")


def parameters_of(thing):
    signature = inspect.signature(thing)
    return [name for name in signature.parameters if name != "self"]


@pytest.mark.parametrize("thing", list(public_objects()))
def test_public_name_has_a_complete_numpydoc_docstring(thing):
    is_class = inspect.isclass(thing)
    if not is_class and not inspect.isfunction(thing):
        assert thing.__doc__  # a scorer: an object that is called
        return
    doc = ClassDoc(thing) if is_class else FunctionDoc(thing)
    documented = [name for p in doc["Parameters"] for name in p.name.lstrip("*").split(", ")]
    assert [name.lstrip("*") for name in documented] == parameters_of(thing)
    assert doc["Examples"]
    if is_class and hasattr(thing, "fit"):
        assert doc["Attributes"]
        assert doc["References"]


@pytest.mark.parametrize("thing", list(public_objects()))
def test_public_methods_are_documented(thing):
    if not inspect.isclass(thing):
        return
    for name, method in inspect.getmembers(thing, inspect.isfunction):
        if name.startswith("_") or not method.__module__.startswith("skbayes"):
            continue
        doc = FunctionDoc(method)
        documented = {n for p in doc["Parameters"] for n in p.name.replace("*", "").split(", ")}
        assert documented == set(parameters_of(method)), name


def test_readme_has_its_two_commands_once_each():
    commands = re.findall(r"^python3 -m venv \.venv && .*$", README, re.MULTILINE)
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install -c .ci/constraints.txt -e "
        f'".[{extra}]" && .venv/bin/python {what}'
        for extra, what in [("examples", "examples/quickstart.py"), ("test", "-m pytest -n 2")]
    ]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readme_example_runs(block):
    exec(compile(block, "README.md", "exec"), {})


def test_readme_links_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target.strip()).exists(), target
    assert len(BLOCKS) == 4
