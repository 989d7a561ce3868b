"""Templates that do not hold together: the error names file and line, whether or not the text is ever shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from paper.test_paper import facts_of

from critnb.canon import CANON
from critnb.errors import Exit, PaperError
from critnb.paper import check, compose
from critnb.paper.templates import FOLDER

BIBLIOGRAPHY = CANON.OUTPUT.BIBLIOGRAPHY_YAML_BASENAME
LIMITS = "06_LIMITATIONS.md"


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "paper"))


@pytest.fixture(scope="module")
def names(base, instruct) -> list[str]:
    return [*facts_of(base, instruct).names(), "works"]


def spoil(folder: Path, file: str, text: str) -> int:
    """Put lines at a file's end; returns the number of the first."""
    path = folder / file
    before = path.read_text()
    path.write_text(before + text)
    return before.count("\n") + 1


def test_the_templates_of_the_pack_hold_together(names):
    found = check(FOLDER, names)
    assert found.templates == 9
    assert found.citations >= len(found.works) >= 15


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("As shown [@beggs_2003; @nobody_1900].", "nobody_1900"),
        ("{% if false %}\nSee [@fig:F77].\n{% endif %}", "Figure F77"),
        ("See [@tab:T44].", "Table T44"),
        ("![No such.](fig:F99:{{ first.name }})", "figure F99"),
        ("![No such.](fig:F01:CHAT)", "CHAT"),
        ("{% if not both and both %}\n{{ no_such_name }}\n{% endif %}", "no_such_name"),
        ("It was 0.257 in all.", "typed by hand"),
        ("Of 6 conditions.", "typed by hand"),
        ("`b_tot = 0.9`", "typed by hand"),
        ("{% for x in roles %}", "Unexpected end of template"),
        ("{{ first.name | nofilter }}", "nofilter"),
    ],
)
def test_a_wrong_line_is_named_with_its_file(folder, names, text, words):
    first = spoil(folder, LIMITS, f"\n{text}\n")
    with pytest.raises(PaperError, match=words) as caught:
        check(folder, names)
    message = str(caught.value)
    assert message.startswith(f"{folder / LIMITS}:")
    line = int(message.removeprefix(f"{folder / LIMITS}:").partition(":")[0])
    assert first <= line <= first + 1 + text.count("\n")
    assert "\n" not in message
    assert caught.value.exit_code is Exit.BAD_INPUT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('nobody_1900:\n  authors: ["N, N."]\n  year: 1900\n  title: T\n  where: W\n', "nothing cites nobody_1900"),
        ("bad_entry:\n  authors: []\n  year: 1900\n  title: T\n  where: W\n", "authors"),
        ('bad_entry:\n  authors: ["N"]\n  title: T\n  where: W\n', "year"),
        (": :\n- [", "not a readable bibliography"),
    ],
)
def test_a_wrong_bibliography_is_named(folder, names, text, words):
    first = spoil(folder, BIBLIOGRAPHY, text)
    with pytest.raises(PaperError, match=words) as caught:
        check(folder, names)
    assert str(folder / BIBLIOGRAPHY) in str(caught.value)
    if words.startswith("nothing"):
        assert f"{BIBLIOGRAPHY}:{first}:" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ first.T01.smallest('no_such') }}", "no_such"),
        ("{{ first.T77.count() }}", "T77"),
        ("{{ first.T01.smallest('b_tot') }}", "how many digits"),
        ("{{ roles | length }}", "neither words nor a cell"),
        ("{{ (1 / 3) | fixed }}", "no cell of a table"),
        ("{{ first.record('S03', 'model.height') }}", "model.height"),
        ("{{ first.T01.row(g=1) | interval('b_tot') }}", "one is meant"),
        ("{{ first._evidence }}", "unsafe|_evidence"),
    ],
)
def test_what_no_cell_holds_cannot_be_printed(folder, base, text, words):
    line = spoil(folder, LIMITS, f"\n{text}\n") + 1
    with pytest.raises(PaperError, match=words) as caught:
        compose(facts_of(base), folder)
    assert str(caught.value).startswith(f"{folder / LIMITS}:{line}: ")


def test_a_reference_to_a_figure_that_is_not_shown(folder, base):
    for path in folder.glob("0*.md"):
        path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "](fig:F14" not in line))
    spoil(folder, LIMITS, "\nSee [@fig:F14].\n")
    with pytest.raises(PaperError, match="Figure F14 is referred to, but this paper does not show it"):
        compose(facts_of(base), folder)


def test_without_templates_there_is_no_paper(tmp_path, names):
    with pytest.raises(PaperError, match="no templates"):
        check(tmp_path, names)
