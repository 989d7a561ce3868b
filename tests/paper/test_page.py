"""The paper's page in a real browser, at two widths, light and dark: nothing is cut, pale, unnamed or asked of the network."""

from __future__ import annotations

import pytest
from browser import CHROMIUM, REASON, faults
from paper.reading import Page
from paper.test_paper import S07, facts_of

from critnb.canon import CANON, Stage
from critnb.paper import compose


@pytest.fixture(scope="module")
def written(base, instruct, store):
    """The page where it lies in a folder of runs, which holds what it leads to."""
    facts = facts_of(base, instruct)
    paper = compose(facts)
    folder = store.root / S07 / "paper"
    (store.root / CANON.OUTPUT.INDEX_HTML_BASENAME).touch()
    for path in ("paper/paper.html", "results/claims.json", "tables/t07.csv", "tables/t07.parquet"):
        (store.root / S07 / path).parent.mkdir(parents=True, exist_ok=True)
        (store.root / S07 / path).write_text(paper.html if path.endswith(".html") else "")
    return folder / "paper.html"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=REASON)
@pytest.mark.parametrize(("width", "dark"), [(1400, False), (800, True)])
def test_a_browser_finds_nothing_wrong_with_the_page(written, width, dark):
    assert faults(written, width=width, dark=dark) == {}


def test_every_link_to_a_file_leads_to_one(written):
    page = Page(written.read_text(encoding="utf-8"))
    assert len(set(page.beside)) > 60
    assert [href for href in page.beside if not (written.parent / href.partition("#")[0]).is_file()] == []


def test_every_table_says_which_files_its_numbers_stand_in(written):
    behind = " ".join(Page(written.read_text(encoding="utf-8")).behind)
    assert "From" in behind
    assert behind.count("table_T10_KNOCKOUTS.csv") >= 4


def test_the_head_names_the_models_the_texts_and_the_run(written, base, instruct):
    head = written.read_text(encoding="utf-8").partition('<p class="made">')[2].partition("</p>")[0]
    for evidence in (base, instruct):
        record = evidence.runs[Stage.S03].record
        assert f"{record.model['id']} ({evidence.role})" in head
        assert all(f"{name}: {data['source']}" in head for name, data in record.datasets.items())
    assert f'<a href="../../index.html#{S07}">{S07}</a>' in head
