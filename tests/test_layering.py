"""The layering contract: imports run one way, private names and global randomness stay out.

The sources are parsed, not imported.
"""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skbayes"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Layer (first path component under skbayes) -> what of the package it may import.
MAY_IMPORT_OF_PACKAGE = {
    "samplers": {"samplers"},
    "nn": {"nn"},
    "_engine": {"_engine", "nn", "samplers", "_random"},
    "supervised": {"supervised", "_engine", "nn", "samplers", "diagnostics", "_sklearn"},
    "density": {"density", "_engine", "nn", "_sklearn"},
    "active": {"active", "_draws", "_random", "_sklearn"},
    "diagnostics": {"diagnostics", "_draws", "_random", "_sklearn"},
    "metrics": {"metrics", "_draws", "_labels", "_sklearn"},
    "model_selection": {"model_selection", "_labels", "_random", "metrics", "_sklearn"},
    "callbacks": {"callbacks", "_draws"},
    "datasets": {"datasets", "_random", "_sklearn"},
    "_labels": {"_labels"},
    "_persistence": {"_persistence", "_encoding", "_decoding"},
    "_decoding": {"_decoding", "_encoding"},
    "_encoding": {"_encoding"},
    "_draws": {"_draws", "_sklearn"},
    "_sklearn": set(),
    "_random": set(),
}
#: The lower layers, and what these use, name all that they may import beside the standard library.
ONLY_THIRD_PARTIES = {
    "samplers": {"numpy", "torch"},
    "nn": {"numpy", "torch"},
    "_engine": {"numpy", "safetensors", "scipy", "skorch", "torch"},
    "callbacks": {"numpy", "skorch"},
    "_random": {"numpy"},
    "diagnostics": {"arviz", "matplotlib", "numpy", "scipy", "sklearn"},
}
FORBIDDEN_THIRD_PARTIES = {
    layer: {"torch", "skorch"}
    for layer in [
        "active",
        "diagnostics",
        "metrics",
        "model_selection",
        "_labels",
        "_draws",
        "datasets",
    ]
}
#: Draws from torch's global stream unless a generator is given ...
TORCH_DRAWS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
TENSOR_DRAWS = {
    "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_",
    "trunc_normal_", "uniform_",
    # torch.nn.init, which takes a generator too
    "kaiming_normal_", "kaiming_uniform_", "orthogonal_", "sparse_", "xavier_normal_",
    "xavier_uniform_",
}  # fmt: skip
#: ... and these take none in every torch that is supported.
NO_GENERATOR = {"torch.rand_like", "torch.randn_like", "torch.randint_like"}
SEEDS = {
    "torch.manual_seed", "torch.seed", "torch.random.manual_seed", "torch.random.seed",
    "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "numpy.random.seed", "random.seed",
}  # fmt: skip
#: Streams of their own, not numpy's global one.
OWN_STREAMS = {"numpy.random.default_rng"}
#: The one place where the global stream is forked and seeded, for modules of users.
MAY_SEED_GLOBALLY = {"_engine/seeds.py"}


def layer_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def origins_of_names(tree):
    """Local name -> dotted origin, so that aliases hide nothing."""
    origins = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                origins[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return origins


def imports_of(tree, relative):
    """Yield the dotted names that are imported; relative ones are made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                package = ["skbayes", *relative.split("/")[:-1]]
                base = package[: len(package) - node.level + 1]
                module = ".".join([*base, module] if module else base)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_when_loaded(tree):
    """Yield dotted names imported outside functions, also under `if` and `try`."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def dotted(node, origins):
    """'torch.randn' for `t.randn` after `import torch as t`; '' if it starts with no name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    parts.append(origins.get(node.id, node.id))
    return ".".join(reversed(parts))


def has_generator(call):
    for keyword in call.keywords:
        if keyword.arg == "generator":
            return not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
    return False


def import_violations(tree, layer, relative):
    for name in imports_of(tree, relative):
        root, *rest = name.split(".")
        if root == "skbayes":
            target = rest[0] if rest else "skbayes"
            if layer in MAY_IMPORT_OF_PACKAGE and target not in MAY_IMPORT_OF_PACKAGE[layer]:
                yield f"{layer} imports skbayes.{target}"
            continue
        if root not in sys.stdlib_module_names:
            allowed = ONLY_THIRD_PARTIES.get(layer)
            outside = allowed is not None and root not in allowed
            if outside or root in FORBIDDEN_THIRD_PARTIES.get(layer, ()):
                yield f"{layer} imports {root}"
        if rest and rest[-1] == "check_random_state":
            yield f"{name} turns None into numpy's global stream; there is skbayes._random"
        private = any(part.startswith("_") for part in rest)
        if root == "sklearn" and private and relative != "_sklearn.py":
            yield f"private name of scikit-learn: {name}"
    if any(name.split(".")[0] == "matplotlib" for name in imported_when_loaded(tree)):
        yield "matplotlib is imported at module level"


def randomness_violations(tree, relative):
    origins = origins_of_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = dotted(node.func, origins)
        attribute = node.func.attr if isinstance(node.func, ast.Attribute) else function
        last = attribute.split(".")[-1]
        draws = function.startswith("torch.") and function.count(".") == 1 and last in TORCH_DRAWS
        if (draws or last in TENSOR_DRAWS) and not has_generator(node):
            yield f"line {node.lineno}: {function or last} draws from the global stream"
        if function in NO_GENERATOR:
            yield f"line {node.lineno}: {function} draws from the global stream"
        if function in SEEDS and relative not in MAY_SEED_GLOBALLY:
            yield f"line {node.lineno}: {function} seeds globally"
        legacy = function.startswith("numpy.random.") and last[0].islower() and last != "seed"
        if legacy and function not in OWN_STREAMS:
            yield f"line {node.lineno}: {function} draws from numpy's global stream"
        if function.startswith("random.") and "random" in origins and last[0].islower():
            yield f"line {node.lineno}: {function} draws from Python's global stream"


def private_attributes(tree, relative):
    origins = origins_of_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and relative != "_sklearn.py":
            name = dotted(node, origins)
            if name.startswith("sklearn.") and node.attr.startswith("_"):
                yield f"private name of scikit-learn: {name}"


def violations(source, layer, relative):
    """What a module does that its layer may not."""
    tree = ast.parse(source)
    return [
        *import_violations(tree, layer, relative),
        *randomness_violations(tree, relative),
        *private_attributes(tree, relative),
    ]


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
        ("import torch\ntorch.cuda.manual_seed(0)", "supervised", "seeds globally"),
        ("from ..supervised import SGLDClassifier", "active", "imports skbayes.supervised"),
        ("from .. import supervised", "active", "imports skbayes.supervised"),
        ("import skbayes", "active", "imports skbayes.skbayes"),
        ("from skbayes.density import VAE", "diagnostics", "imports skbayes.density"),
        ("import scipy", "nn", "nn imports scipy"),
        ("import pandas", "diagnostics", "diagnostics imports pandas"),
        ("from sklearn.base import clone", "_engine", "_engine imports sklearn"),
        ("import sklearn\nsklearn.utils._tags.x", "supervised", "private name"),
        ("try:\n    import matplotlib\nexcept ImportError:\n    pass", "density", "module level"),
        ("class A:\n    from matplotlib import pyplot", "density", "module level"),
        ("import torch as t\nt.randn(3)", "nn", "global stream"),
        ("from torch import randn as r\nr(3)", "nn", "global stream"),
        ("import torch\ntorch.randn_like(x)", "nn", "global stream"),
        ("import torch\ntorch.randn(3, generator=None)", "nn", "global stream"),
        ("import torch\ntorch.nn.init.xavier_uniform_(w)", "nn", "global stream"),
        ("import numpy\nnumpy.random.rand(3)", "active", "numpy's global stream"),
        ("from numpy.random import rand\nrand(3)", "active", "numpy's global stream"),
        ("from sklearn.utils import check_random_state", "active", "numpy's global stream"),
        ("import random\nrandom.random()", "active", "Python's global stream"),
    ],
)
def test_the_checker_can_fail(source, layer, complaint):
    assert any(complaint in text for text in violations(source, layer, f"{layer}/module.py"))


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        ("import torch\ntorch.randn(3, generator=g)\nx.normal_(generator=g)", "nn"),
        ("import numpy as np\nnp.random.default_rng(0).normal()", "active"),
        ("import numpy as np\nnp.random.RandomState(0)", "active"),
        ("def plot():\n    import matplotlib.pyplot as plt", "density"),
        ("random(3)\nrng.random()", "active"),
        ("from ._net import Net", "_engine"),
    ],
)
def test_the_checker_lets_good_code_pass(source, layer):
    assert violations(source, layer, f"{layer}/module.py") == []
