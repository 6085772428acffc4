"""The layering contract: imports run one way, private names and global randomness stay out.

The sources are parsed, not imported.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skbayes"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Layer (first path component under skbayes) -> what it may import, of the package and of others.
#: What is not listed is free of rules about third parties.
MAY_IMPORT_OF_PACKAGE = {
    "samplers": {"samplers"},
    "nn": {"nn"},
    "_engine": {"_engine", "nn", "samplers"},
    "supervised": {"supervised", "_engine", "nn", "samplers", "_sklearn"},
    "density": {"density", "_engine", "nn", "_sklearn"},
    "active": {"active", "_draws", "_sklearn"},
    "metrics": {"metrics", "_labels", "_sklearn"},
    "model_selection": {"model_selection", "_labels", "metrics", "_sklearn"},
    "_labels": {"_labels"},
    "_draws": {"_draws", "_sklearn"},
    "_sklearn": set(),
}
FORBIDDEN_THIRD_PARTIES = {
    "samplers": {"sklearn", "skorch"},
    "nn": {"sklearn", "skorch"},
    "active": {"torch", "skorch"},
    "metrics": {"torch", "skorch"},
    "model_selection": {"torch", "skorch"},
    "_labels": {"torch", "skorch"},
    "_draws": {"torch", "skorch"},
}
#: Draws from torch's global stream unless a generator is given.
TORCH_DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
TENSOR_DRAWS = {"normal_", "uniform_", "bernoulli_", "random_", "exponential_"}
#: The one place where the global stream is forked and seeded, for modules of users.
MAY_SEED_GLOBALLY = {"_engine/seeds.py"}


def layer_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(tree):
    """Yield (module, imported name or None, is at module level)."""
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module or "", alias.name, id(node) in top


def dotted(node):
    """'torch.randn' for the function of a call."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def violations(source, layer, relative):
    """What a module does that its layer may not."""
    tree = ast.parse(source)
    found = []
    for module, name, at_top in imports_of(tree):
        root, *rest = module.split(".")
        if root == "skbayes":
            target = rest[0] if rest else name
            if layer in MAY_IMPORT_OF_PACKAGE and target not in MAY_IMPORT_OF_PACKAGE[layer]:
                found.append(f"{layer} imports skbayes.{target}")
        if root in FORBIDDEN_THIRD_PARTIES.get(layer, ()):
            found.append(f"{layer} imports {root}")
        private = [part for part in (*rest, name or "") if part.startswith("_")]
        if root == "sklearn" and private and relative != "_sklearn.py":
            found.append(f"private name of scikit-learn: {module} {name}")
        if root == "matplotlib" and at_top:
            found.append("matplotlib is imported at module level")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = dotted(node.func)
        keywords = {keyword.arg for keyword in node.keywords}
        draws = (
            function.removeprefix("torch.") in TORCH_DRAWS and function.startswith("torch.")
        ) or (isinstance(node.func, ast.Attribute) and node.func.attr in TENSOR_DRAWS)
        if draws and "generator" not in keywords:
            found.append(f"line {node.lineno}: {function} draws from the global stream")
        seeds = function in {"torch.manual_seed", "torch.seed", "np.random.seed"}
        if seeds and relative not in MAY_SEED_GLOBALLY:
            found.append(f"line {node.lineno}: {function} seeds globally")
        parts = function.split(".")
        if parts[:2] == ["np", "random"] and parts[-1][0].islower() and parts[-1] != "seed":
            found.append(f"line {node.lineno}: {function} draws from numpy's global stream")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_keeps_the_contract(path):
    relative = path.relative_to(PACKAGE).as_posix()
    assert violations(path.read_text(), layer_of(path), relative) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_says_its_job_in_its_first_line(path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring and docstring.splitlines()[0].strip()


def test_every_layer_is_known():
    assert {layer_of(path) for path in MODULES} <= {*MAY_IMPORT_OF_PACKAGE, "__init__"}


@pytest.mark.parametrize(
    ("source", "layer", "complaint"),
    [
        ("from skbayes._engine import net", "nn", "nn imports skbayes._engine"),
        ("from skbayes.supervised import SGLDClassifier", "active", "imports skbayes.supervised"),
        ("import torch", "active", "active imports torch"),
        ("import sklearn", "samplers", "samplers imports sklearn"),
        ("from sklearn.base import _fit_context", "supervised", "private name"),
        ("from sklearn.utils._tags import x", "supervised", "private name"),
        ("import matplotlib.pyplot as plt", "density", "module level"),
        ("import torch\ntorch.randn(3)", "nn", "global stream"),
        ("x.normal_()", "nn", "global stream"),
        ("import numpy as np\nnp.random.rand(3)", "active", "numpy's global stream"),
        ("import torch\ntorch.manual_seed(0)", "supervised", "seeds globally"),
    ],
)
def test_the_checker_can_fail(source, layer, complaint):
    assert any(complaint in text for text in violations(source, layer, f"{layer}/module.py"))


def test_the_checker_lets_good_code_pass():
    source = "import torch\ntorch.randn(3, generator=g)\nx.normal_(generator=g)\n"
    assert violations(source, "nn", "nn/module.py") == []
