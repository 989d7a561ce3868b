"""The two lock files against what pyproject.toml asks for: what the demo needs, and on top of it what work on the pack needs."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from critnb.canon import PACK_ROOT

PROJECT = tomllib.loads((PACK_ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
DEMO, WORK = "requirements.lock", "requirements-dev.lock"
# make installs the pack itself, editable, without fetching what builds it
BUILD = [*PROJECT["build-system"]["requires"], "editables"]
# what torch asks for on machines with CUDA; which of them, its index says
CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")

# which packages a package asks for depends on the system
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the lock files were made on Linux")


def pinned(lock: str) -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in (PACK_ROOT / lock).read_text().splitlines()]
    pins = [line.split("==") for line in lines if line and not line.startswith("--")]
    return {canonicalize_name(name): version for name, version in pins}


def needed(asked: Iterable[str]) -> set[str]:
    """The names of all packages that requirements lead to, as far as they are installed here."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in asked]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            key = (canonicalize_name(wanted.name), extra)
            if key in found:
                continue
            found.add(key)
            try:
                own = EXTRAS.get(extra, []) if key[0] == "critnb" else requires(wanted.name) or []
            except PackageNotFoundError:
                own = []
            each = [Requirement(text) for text in own]
            # critnb is asked for its extras alone
            waiting += [one for one in each if key[0] == "critnb" or _applies(one, extra)]
    return {name for name, _ in found if name != "critnb" and not CUDA.fullmatch(name)}


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


@on_linux
def test_the_demo_installs_what_running_the_stages_and_the_explorer_needs_and_nothing_else():
    base = PROJECT["project"]["dependencies"]
    assert needed([*base, *BUILD, "critnb[paper,explore]"]) == set(pinned(DEMO))


@on_linux
def test_work_on_the_pack_adds_every_extra():
    base = PROJECT["project"]["dependencies"]
    assert needed([*base, *BUILD, "critnb[all,dev]"]) == {*pinned(DEMO), *pinned(WORK)}
    assert not {*pinned(DEMO)} & {*pinned(WORK)}
    assert (PACK_ROOT / WORK).read_text().count(f"--requirement {DEMO}\n") == 1


def test_the_demo_installs_no_browser_driver_no_linter_and_no_tests():
    # an independent list, from outside pyproject.toml
    tools = {"playwright", "ruff", "mypy", "pytest", "hypothesis", "nbval", "pandas-stubs", "coverage"}
    assert not (tools | {"jupyterlab", "datasets"}) & set(pinned(DEMO))
    assert tools | {"jupyterlab", "datasets"} <= set(pinned(WORK))


def test_a_lock_pins_what_pyproject_allows():
    pins = {**pinned(DEMO), **pinned(WORK)}
    wanted = [*PROJECT["project"]["dependencies"], *BUILD, *(each for extra in EXTRAS.values() for each in extra)]
    asked = [Requirement(text) for text in wanted]
    for each in asked:
        if each.name != "critnb":
            assert each.specifier.contains(pins[canonicalize_name(each.name)]), each
    assert pins["torch"] == "2.13.0"
