"""The code that a stage's id covers: all that its numbers rest on, found by reading sources; every change of meaning changes it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path
from types import SimpleNamespace

import pytest
from sourcecode import code_cells, imported, imported_by

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import STAGES, spec_of
from critnb.contract.code import OUTSIDE, StageCode, changed_code, is_outside, stage_code, stage_files, stage_sources
from critnb.contract.pack_sources import PackSources
from critnb.errors import IntegrityError
from critnb.pipeline.by_hand import run as by_hand_run
from critnb.runs import hash_inputs, notebook_source

IDS = [spec.id for spec in STAGES]
NOTEBOOKS = CANON.PATH.NOTEBOOKS_DIR
# what `session` loads where a notebook asks for it, written out by hand
ON_DEMAND = (
    *("critnb.model.loading", "critnb.model.forward", "critnb.model.windows", "critnb.model.token_coverage"),
    "critnb.model.elsewhere",
)
# Imports what it is told to, one process a task, and says which modules of the pack that loaded, and from where.
# The libraries that stages import are loaded once, before the processes part.
LOADER = """
import importlib, json, os, sys
import IPython.display, joblib, matplotlib.figure, numba, numpy, pandas, pydantic.main, scipy.ndimage, scipy.stats, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
found = {}
for task, (root, code, modules) in json.load(sys.stdin).items():
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            sys.path.insert(0, root)
            exec(code, {})
            for module in modules:
                importlib.import_module(module)
            said = sorted(name for name in sys.modules if name.partition(".")[0] == "critnb")
            assert all(sys.modules[name].__file__.startswith(root) for name in said)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        with os.fdopen(write, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        found[task] = json.load(pipe)
    os.wait()
json.dump(found, sys.stdout)
"""


def module_of(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")


def hashed(spec) -> set[str]:
    return {module_of(path) for path in ours()[spec.id].files}


def imports_of(spec) -> str:
    """What a notebook imports, but for the pictures that it shows beside tables: no result follows from these."""
    body = code_cells(PACK_ROOT / NOTEBOOKS / spec.notebook).body
    for each in body:
        if isinstance(each, ast.ImportFrom):
            each.names = [name for name in each.names if not is_outside(f"{each.module}.{name.name}")]
    kept = [each for each in body if isinstance(each, ast.Import | ast.ImportFrom) and each.names]
    return "\n".join(map(ast.unparse, kept))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> dict[str, list[str] | str]:
    """By a stage's id: what Python loads for it out of the pack; by its id and a star, out of one of nothing but its hashed code.

    An error's words stand where that could not be loaded.
    """
    tasks = {}
    for spec in STAGES:
        more = ["critnb.pipeline.session", *(ON_DEMAND if spec.uses_model else ())]
        # imported on first use: the passes of critnb.events by a name, compiled loops where a null is drawn
        more += [name for name in LATER if name in hashed(spec)]
        tasks[spec.id] = (str(PACK_ROOT), imports_of(spec), more)
        root = tmp_path_factory.mktemp(spec.id)
        only_reached(spec, root)
        tasks[f"{spec.id}*"] = (str(root), imports_of(spec), sorted(hashed(spec)))
    done = subprocess.run(
        [sys.executable, "-c", LOADER],
        input=json.dumps(tasks),
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LATER = (
    "critnb.criticality.tails.drawing",
    "critnb.events.passes",
    "critnb.events.kernels",
    "critnb.lattice.kernels",
    "critnb.lattice.bit_kernels",
    "critnb.lattice.permuting",
    "critnb.criticality.bit_sums",
    "critnb.criticality.tails.end_terms",
    "critnb.criticality.sizes.labelling",
)


def test_python_itself_loads_every_module_that_is_hashed(loaded):
    for spec in STAGES:
        assert hashed(spec) - set(loaded[spec.id]) == set(), spec.id


def only_reached(spec, root: Path) -> None:
    """Lay a pack that holds nothing but what a stage's id covers, and what is outside of it."""
    sources = stage_sources(spec)
    for path in sorted((PACK_ROOT / "critnb").rglob("*.py")):
        name = path.relative_to(PACK_ROOT).as_posix()
        if name in sources or is_outside(module_of(name)):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, root / name)
            if Path(compiled := cache_from_source(path)).is_file():
                there = Path(cache_from_source(root / name))
                there.parent.mkdir(exist_ok=True)
                shutil.copy2(compiled, there)
    shutil.copytree(PACK_ROOT / "spec", root / "spec")
    for folder in (path for path in (root / "critnb").rglob("*") if path.is_dir()):
        init = PACK_ROOT / folder.relative_to(root) / "__init__.py"
        if init.is_file():
            (folder / "__init__.py").write_text(without_absent(init, root))


def without_absent(init: Path, root: Path) -> str:
    tree = ast.parse(init.read_text())
    there = lambda module: any((root / f"{module.replace('.', '/')}{end}").is_file() for end in (".py", "/__init__.py"))  # noqa: E731
    tree.body = [
        each
        for each in tree.body
        if not (
            isinstance(each, ast.ImportFrom) and str(each.module).startswith("critnb") and not there(str(each.module))
        )
    ]
    return ast.unparse(tree)


def test_a_pack_of_nothing_but_the_hashed_code_can_do_each_stage(loaded):
    assert {task: said for task, said in loaded.items() if isinstance(said, str)} == {}


def at_its_top(module: str) -> set[str]:
    """What a module imports when it is imported, and not where a stage asks for it, nor for checkers of types."""
    tree = ast.parse((PACK_ROOT / f"{module.replace('.', '/')}.py").read_text())
    return imported(ast.Module([each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)], []))


@pytest.mark.parametrize("spec", STAGES, ids=IDS)
def test_nothing_that_the_notebook_leads_to_is_left_out(spec):
    """The closure by another reader, which takes in what is imported for checkers of types only."""
    waiting = imported(code_cells(PACK_ROOT / NOTEBOOKS / spec.notebook)) | {"critnb.pipeline.session"}
    found: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in found or is_outside(module):
            continue
        found.add(module)
        waiting |= at_its_top(module) if within(module, "critnb.pipeline") else imported_by(module)
    ours = {module for module in hashed(spec) if not is_package(module)}
    on_demand = {module for module in ours - found if within(module, "critnb.model")}
    assert ours - found == on_demand
    assert bool(on_demand) <= spec.uses_model
    assert {module for module in found - ours if not is_package(module)} <= FOR_CHECKERS


FOR_CHECKERS = {"critnb.model.windows", "critnb.model.forward", "critnb.stages.s06b_generalize.work"}


def is_package(module: str) -> bool:
    return PACK_ROOT.joinpath(*module.split(".")).is_dir()


def within(module: str, room: str) -> bool:
    return f"{module}.".startswith(f"{room}.")


def test_what_is_outside_is_there_and_says_why():
    assert all(reason for reason in OUTSIDE.values())
    for name in OUTSIDE:
        base = PACK_ROOT.joinpath("critnb", *name.split("."))
        assert base.is_dir() or base.with_suffix(".py").is_file(), name


def test_the_inits_of_packages_do_nothing_but_define_names():
    """One counts by what is taken out of it, so it must not change anything else when it is imported."""
    names = ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef
    for path in (PACK_ROOT / "critnb").rglob("__init__.py"):
        for each in ast.parse(path.read_text()).body:
            is_prose = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            is_typing = isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING"
            assert isinstance(each, names) or is_prose or is_typing, f"{path}: {ast.unparse(each)}"


def test_hashed_code_imports_nothing_by_a_name_that_it_makes():
    """Such an import would not be found by reading."""
    for path in {path for spec in STAGES for path in stage_sources(spec)}:
        tree = ast.parse((PACK_ROOT / path).read_text())
        named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not named & {"importlib", "import_module", "__import__", "exec", "eval"}, path


# --- every change of meaning, and no other, in a copy of the pack


SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd}
COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
}


class Operators(ast.NodeTransformer):
    def visit_BinOp(self, node):
        node.op = SWAPPED.get(type(node.op), lambda: node.op)()
        return node

    def visit_Compare(self, node):
        node.ops = [COMPARED.get(type(op), lambda op=op: op)() for op in node.ops]
        return node


class Constants(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant(node.value + 1) if type(node.value) in (int, float) else node


class Defaults(ast.NodeTransformer):
    def visit_arguments(self, node):
        node.defaults = [ast.Name("_other") for _ in node.defaults]
        node.kw_defaults = [each and ast.Name("_other") for each in node.kw_defaults]
        return node


class Decorators(ast.NodeTransformer):
    def visit_FunctionDef(self, node):
        node.decorator_list = []
        return self.generic_visit(node)

    visit_ClassDef = visit_FunctionDef


class Fields(ast.NodeTransformer):
    def visit_AnnAssign(self, node):
        node.annotation = ast.Name("_other")
        return node


class Order(ast.NodeTransformer):
    def visit_FunctionDef(self, node):
        first = 1 if ast.get_docstring(node) else 0
        node.body[first:] = reversed(node.body[first:])
        return node


class Names(ast.NodeTransformer):
    def visit_Attribute(self, node):
        return ast.Attribute(self.visit(node.value), f"{node.attr}_")


class Strings(ast.NodeTransformer):
    """Texts that are used: what is returned."""

    def visit_Return(self, node):
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                each.value += "_"
        return node


MEANINGS = [Operators, Constants, Defaults, Decorators, Fields, Order, Names, Strings]


def edited(transformer: type[ast.NodeTransformer]) -> Callable[[str], str]:
    return lambda text: ast.unparse(transformer().visit(ast.parse(text)))


def plain(text: str) -> str:
    return ast.unparse(ast.parse(text))


def _commented(text: str) -> str:
    return "# a remark\n" + re.sub(r"^(\s*return\b)", r"\n    # why\n\1", text, count=3, flags=re.MULTILINE)


def _other_docstrings(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Expr(ast.Constant("Other words."))
    return ast.unparse(tree)


def _without_docstrings(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


WORDS = {
    "comments": _commented,
    "docstrings": _other_docstrings,
    "no docstrings": _without_docstrings,
    "formatting": plain,
    "line ends": lambda text: text.replace("\n", "\r\n"),
    "spaces at the end": lambda text: f"{text}\n\n\n",
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pack")
    for folder in (NOTEBOOKS, "critnb"):
        shutil.copytree(PACK_ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return root


@cache
def ours() -> dict[Stage, StageCode]:
    """What every stage rests on in the pack itself."""
    pack = PackSources()
    return {spec.id: stage_code(spec, pack=pack) for spec in STAGES}


@cache
def plain_of(name: str) -> str:
    return plain((PACK_ROOT / name).read_text(encoding="utf-8"))


@cache
def texts() -> dict[str, str]:
    """The code of the pack that is read to say what stages rest on, by its path: what counts, and what hands names on."""
    counting = {path for code in ours().values() for path in code.files}
    paths = sorted((PACK_ROOT / "critnb").rglob("*.py"))
    names = {path.relative_to(PACK_ROOT).as_posix(): path for path in paths}
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in names.items()
        if name in counting or path.name == "__init__.py"
    }


def lay(root: Path, edit: Callable[[str], str] = str) -> dict[str, str]:
    """Write all code of the pack that is read, edited; return it by path."""
    after = {name: edit(text) for name, text in texts().items()}
    for name, text in after.items():
        (root / name).write_bytes(text.encode())
    return after


@pytest.mark.parametrize("edit", MEANINGS, ids=lambda edit: edit.__name__)
def test_every_change_of_meaning_changes_the_file_that_holds_it(copied, edit):
    changed = {name: text != plain_of(name) for name, text in lay(copied, edited(edit)).items()}
    assert sum(changed.values()) > 40
    pack = PackSources(copied)
    for spec in STAGES:
        before, after = ours()[spec.id].files, stage_code(spec, pack=pack).files
        assert set(before) == set(after)
        whole = [path for path in before if not path.endswith("__init__.py")]
        assert [path for path in whole if (before[path] != after[path]) != changed[path]] == []
        # and so the stage's id
        assert any(before[path] != after[path] for path in whole)


@pytest.mark.parametrize("edit", WORDS.values(), ids=WORDS)
def test_what_says_the_same_is_the_same_code(copied, edit):
    lay(copied, edit)
    pack = PackSources(copied)
    assert {spec.id: stage_code(spec, pack=pack) for spec in STAGES} == ours()


def inputs_of(spec):
    notebook = notebook_source(PACK_ROOT / NOTEBOOKS / spec.notebook)
    return hash_inputs(stage=spec.id, sections={}, upstream={}, notebook=notebook, sources=stage_files(spec))


def test_a_change_of_any_one_file_makes_another_run_of_the_stages_that_reach_it(copied):
    lay(copied)
    stages = [(spec, inputs_of(spec)) for spec in STAGES if not spec.files]
    for name in (
        "critnb/gates.py",
        "critnb/model/choices.py",
        "critnb/report/style.py",
        "critnb/stages/shared/conditions.py",
    ):
        path = copied / name
        path.write_text(f"{path.read_text()}\n_MORE = 1\n")
        reach = [spec.id for spec, inputs in stages if name in inputs.sources]
        changed = {spec.id: changed_code(spec, inputs, root=copied) for spec, inputs in stages}
        assert [stage for stage, files in changed.items() if files] == reach != []
        assert all(files in ([], [name]) for files in changed.values())
        lay(copied)


def test_a_name_that_a_package_has_from_elsewhere_is_another(copied):
    lay(copied)
    spec = spec_of(Stage.S02B)
    init = copied / "critnb" / "lattice" / "__init__.py"
    text = init.read_text()
    more = (
        text.replace('"token_shuffle_order",', '"token_shuffle_order", "word",')
        + "\nfrom critnb.lattice.randomness import word\n"
    )
    init.write_text(more)
    assert stage_code(spec, root=copied) == stage_code(spec)
    init.write_text(text.replace("critnb.lattice.raster import Raster,", "critnb.lattice.drawing import Raster,"))
    assert stage_code(spec, root=copied) != stage_code(spec)
    init.write_text(f"{text}\nRaster = print(Raster)\n")
    assert stage_code(spec, root=copied) != stage_code(spec)


@pytest.mark.parametrize(
    "line",
    [
        "from critnb.criticality.mcq import Answers",
        "%matplotlib inline\n    from critnb.criticality.mcq import Answers",
        "from critnb.criticality import mcq",
        "import critnb.criticality.mcq as mcq",
        "def late():\n    from critnb.criticality.mcq import Answers",
    ],
)
def test_a_notebook_that_imports_more_rests_on_more(copied, line):
    lay(copied)
    spec = spec_of(Stage.S02B)
    path = copied / NOTEBOOKS / spec.notebook
    kept = path.read_bytes()
    notebook = json.loads(kept)
    notebook["cells"][2]["source"].append(f"\n{line}")
    path.write_text(json.dumps(notebook))
    assert "critnb/criticality/mcq.py" not in stage_sources(spec)
    assert "critnb/criticality/mcq.py" in stage_sources(spec, root=copied)
    path.write_bytes(kept)


def test_a_name_of_the_library_is_followed_to_its_home(copied):
    lay(copied)
    path = copied / "critnb" / "stages" / "s02b_select_gstar" / "work.py"
    path.write_text(f"{path.read_text()}\nimport critnb\n\n\ndef more():\n    return critnb.avalanches\n")
    assert "critnb/api/cascades.py" in stage_sources(spec_of(Stage.S02B), root=copied)


def test_a_kernel_that_did_one_stage_may_do_another_until_its_code_says_another_thing(monkeypatch):
    """Two stages may take different names out of one package, which is no change of it."""
    monkeypatch.setattr(by_hand_run, "_loaded_sources", {})
    stages = [SimpleNamespace(spec=spec) for spec in STAGES]
    for each in (*stages, *reversed(stages)):
        by_hand_run._refuse_stale_code([each])
    monkeypatch.setitem(by_hand_run._loaded_sources, "critnb/gates.py", "0" * 64)
    with pytest.raises(IntegrityError, match=r"critnb/gates\.py was changed since this kernel loaded it"):
        by_hand_run._refuse_stale_code(stages[:1])


def test_a_file_that_is_no_python_counts_by_its_text(copied):
    lay(copied)
    spec = spec_of(Stage.S02B)
    path = copied / "critnb" / "stages" / "s02b_select_gstar" / "work.py"
    path.write_text("def (")
    first = stage_sources(spec, root=copied)
    path.write_text("def ((")
    assert stage_sources(spec, root=copied) != first != stage_sources(spec)
