"""Imports point down: a module may import from lower floors and from its own folder, and nothing goes in circles."""

import ast
import graphlib
from pathlib import Path

import selfhvd

ROOT = Path(selfhvd.__file__).parent
FLOORS = (
    {"errors", "ops"},
    {"system", "backbones", "flow"},
    {"video", "weights"},
    {"method", "synthesis"},
    {"extensions", "metrics", "datasets"},
    {"restore"},
    {"training"},
    {"report"},
    {"run"},
    {"forecast", "research"},
    {"web", "fleet"},
    {"cli"},
    {"__init__", "__main__"},
)
"""From the bottom up; modules of one floor do not import one another."""


def modules() -> dict[str, Path]:
    """`method.sharp` -> its file; a package goes by its own name."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


MODULES = modules()


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {_inside(alias.name) for alias in node.names if alias.name.split(".")[0] == "selfhvd"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "selfhvd":
            found |= {_inside(f"{node.module}.{alias.name}", node.module) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
    return found


def _inside(name: str, otherwise: str | None = None) -> str:
    """The module meant by a dotted name: itself, or that which defines it."""
    inner = name.removeprefix("selfhvd").removeprefix(".")
    if inner in MODULES or otherwise is None:
        return inner or "__init__"
    return _inside(otherwise)


def floor(module: str) -> int:
    return next((n for n, names in enumerate(FLOORS) if module.split(".")[0] in names), -1)


GRAPH = {module: imports(path) for module, path in MODULES.items()}


def test_the_scan_sees_imports():
    assert "ops.grid" in GRAPH["ops.warp"] and "report.words" in GRAPH["report.page"]


def test_every_module_has_a_floor_and_only_modules_have():
    placed, there = set().union(*FLOORS), {module.split(".")[0] for module in MODULES}
    assert not there - placed, "give these a place in FLOORS"
    assert not placed - there, "FLOORS names what does not exist"


def test_imports_point_down():
    def own(module: str) -> str:
        return module.split(".")[0]

    pairs = [(module, below) for module, found in GRAPH.items() for below in found if own(below) != own(module)]
    upward = [f"{module} imports {below}" for module, below in pairs if floor(below) >= floor(module)]
    assert not upward, "from their own floor or above"


def test_no_cycles():
    # A package's __init__ gathers its modules, which may import one another directly.
    order = graphlib.TopologicalSorter({m: i - {m} for m, i in GRAPH.items()})
    assert list(order.static_order())


def test_the_paper_knows_nothing_of_ours():
    ours = [
        (module, imported)
        for module, found in GRAPH.items()
        for imported in found
        if module.startswith("method") and imported.startswith(("extensions", "flow.camera", "flow.device"))
    ]
    assert not ours


def test_nothing_lies_loose():
    loose = {path.name for path in ROOT.iterdir() if path.is_file()}
    assert loose <= {"__init__.py", "__main__.py", "errors.py", "py.typed"}
