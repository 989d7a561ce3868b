"""The rendered paper: every number in it is the cell that it says it is, in HTML and PDF, whatever the verdicts."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache

import kept
import numpy as np
import pytest
from browser import CHROMIUM, REASON, look
from markdown_it.token import Token
from paper import made_study
from paper.made_study import evidence_of, with_table
from paper.reading import Page, pdf_text

from critnb.canon import CANON, Criterion, ModelRole, Stage
from critnb.contract import STAGES
from critnb.errors import DependencyError, PaperError
from critnb.gates import Verdict
from critnb.paper import Paper, PaperFacts, compose
from critnb.paper.bibliography import load
from critnb.paper.cells import MARKED, Cell, Kind, Ledger, Origin
from critnb.paper.claims import Sourced, evaluate
from critnb.paper.facts import File
from critnb.paper.markup import Target
from critnb.paper.pdf import compiled, source
from critnb.paper.replication import replicate
from critnb.paper.templates import FOLDER, fill
from critnb.paper.typesetting import Typesetting
from critnb.report.provenance import Provenance
from critnb.report.schema import T07
from critnb.runs import RunStore
from critnb.runs.encoding import json_bytes

S07 = "RUN_S07_0123456789ab"
# what stands in the prose beside cells: names that end in digits, and the level that all intervals of the tables have
NAMES = re.compile(r"\b[A-Za-z_]+\d+\b|95 %")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def facts_of(*roles, title="Cascades & <gains>", authors=("Ada Example",)) -> PaperFacts:
    claims = evaluate(roles)
    content = json.loads(json_bytes([each.as_dict() for each in claims]))
    provenance = Provenance(run_id=S07, stage_id=Stage.S07, model_id="a + b", config_hash="0", code_version="0.1.0")
    found = replicate({each.role: each for each in roles}, provenance)
    t07 = None if found.table is None else Sourced(T07.name, found.table, T07.key, S07, "tables/t07.parquet", "c" * 64)
    path = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.CLAIMS_JSON_BASENAME}"
    file = File(CANON.OUTPUT.CLAIMS_JSON_BASENAME, S07, path, "d" * 64, content)
    return PaperFacts(title, authors, "0.1.0", roles, claims, file, t07, found.reason)


def all_fail(evidence):
    """No signature passes, every falsifier has falsified, and no gain changes anything."""
    for name, change in (
        (CANON.TABLE.T08_SIGNATURES, lambda f: f.assign(verdict=str(Verdict.FAIL))),
        (CANON.TABLE.T06_ABLATIONS, lambda f: f.assign(opt_delta_b_tot_vs_g1_ci_low=-1.0)),
    ):
        evidence = with_table(evidence, name, change)
    missed = {stage: replace(each, frame=each.frame.assign(events=0)) for stage, each in evidence.thresholds.items()}
    evidence = replace(evidence, thresholds=missed)
    return replace(evidence, windows=dict.fromkeys(evidence.windows, np.array([1])))


def none_available(evidence):
    """Every verdict and most numbers are missing."""
    for name, change in (
        (CANON.TABLE.T08_SIGNATURES, _no_verdict),
        (CANON.TABLE.T10_KNOCKOUTS, _no_knock_out),
        (CANON.TABLE.T06_ABLATIONS, lambda f: f.assign(opt_delta_b_tot_vs_g1_ci_low=np.nan)),
        (CANON.TABLE.T03_ARC, lambda f: f.assign(opt_accuracy_vs_g1=np.nan, accuracy=np.nan, accuracy_ci_low=np.nan)),
    ):
        evidence = with_table(evidence, name, change)
    unidentified = replace(evidence.choices, frame=evidence.choices.frame.assign(identified=False))
    thresholds = {stage: replace(each, frame=each.frame[:0]) for stage, each in evidence.thresholds.items()}
    return replace(evidence, choices=unidentified, thresholds=thresholds)


def _no_verdict(frame):
    lost = dict.fromkeys(("value", "ci_low", "ci_high", "opt_p", "opt_p_holm"), np.nan)
    return frame.assign(verdict=str(Verdict.NOT_AVAILABLE), **lost, **made_study.NO_CONTROLS)


def _no_knock_out(frame):
    numbers = [name for name in frame if frame[name].dtype == np.float64 and name not in ("target_rate", "g")]
    why = {"reason": "no event was put out", "lyapunov_reason": "the model has one layer"}
    return frame.assign(**dict.fromkeys(numbers, np.nan), events_out=0, **why)


@pytest.fixture(scope="module")
def studies(base, instruct) -> dict[str, PaperFacts]:
    return {
        "both": facts_of(base, instruct),
        "one": facts_of(instruct),
        "fails": facts_of(all_fail(base), all_fail(instruct)),
        "missing": facts_of(none_available(base)),
    }


@pytest.fixture(scope="module")
def papers(studies) -> dict[str, Paper]:
    return {name: compose(facts) for name, facts in studies.items()}


@pytest.fixture(scope="module", params=["both", "one", "fails", "missing"])
def name(request) -> str:
    return request.param


def page_of(paper: Paper) -> Page:
    return _read(paper.html)


_read = cache(Page)
_works = cache(load)


def test_no_digit_stands_in_the_prose_but_in_names(papers, studies, name):
    prose = " ".join(page_of(papers[name]).prose)
    runs = [run for evidence in studies[name].roles for run in evidence.runs.values()]
    models = {run.record.model["id"] for run in runs if run.record.model}
    for known in (f"{CANON.PROJECT.ID} 0.1.0", S07, *models, *(spec.asks for spec in STAGES)):
        prose = prose.replace(known, "")
    assert re.findall(r".{0,30}\d.{0,30}", NAMES.sub("", prose)) == []


def test_code_and_links_hold_names_of_runs_files_and_works_only(papers, studies, name):
    page, roles = page_of(papers[name]), studies[name].roles
    runs = [run for evidence in roles for run in evidence.runs.values()]
    known = (
        {run.run_id for run in runs} | {path for run in runs for path in run.artifacts} | {S07, "tables/t07.parquet"}
    )
    known |= {artifact.sha256[:12] for run in runs for artifact in run.artifacts.values()}
    known |= {run.record.stage_hash[:12] for run in runs} | {"c" * 12}
    models = {run.record.model["id"] for run in runs if run.record.model}
    formulas = [text for text in page.code if text not in known | models]
    assert all(set(NUMBER.findall(NAMES.sub("", text))) <= {"1"} for text in formulas), formulas
    works = {shown for work in _works(FOLDER).values() for shown in (work.label, work.link)}
    beside = {text for href, text in page.links if not href.startswith(("#", "https:"))}
    assert beside <= {"csv"} | known
    rest = {text for _, text in page.links} - works - beside
    assert {text for text in rest if re.search(r"\d", text)} <= {
        f"{word} {number}"
        for word, key in (("Figure", "F"), ("Table", "T"))
        for number in (f"{key}{n:02d}" for n in range(17))
    }


def _again(cell: Cell, facts: PaperFacts):
    """The value of a cell, taken from the run that it names by other means than the paper's."""
    origin = cell.origin
    if origin.kind is Kind.FIELD:
        return _field(origin, facts)
    frame = _frame(origin, facts)
    chosen = np.ones(len(frame), dtype=bool)
    for column, value in origin.at.items():
        chosen &= (frame[column] == value).to_numpy()
    if origin.kind is Kind.CELL:
        (value,) = frame[origin.column][chosen]
        return value
    return {
        "count": lambda: chosen.sum(),
        "smallest": lambda: np.nanmin(frame[origin.column][chosen]),
        "largest": lambda: np.nanmax(frame[origin.column][chosen]),
    }[origin.fold]()


def _frame(origin: Origin, facts: PaperFacts):
    if origin.name == T07.name:
        return facts.replication.frame
    tables = [t for e in facts.roles for t in (*e.tables.values(), e.choices) if t.run_id == origin.run_id]
    (sourced,) = [table for table in tables if table.table == origin.name]
    assert (sourced.artifact, sourced.sha256) == (origin.artifact, origin.sha256)
    return sourced.frame


def _field(origin: Origin, facts: PaperFacts):
    if origin.name == CANON.OUTPUT.BIBLIOGRAPHY_YAML_BASENAME:
        return _works(FOLDER)[origin.column].line
    if origin.run_id == S07:
        node = facts.claims_file.content
    else:
        run = next(run for e in facts.roles for run in e.runs.values() if run.run_id == origin.run_id)
        assert origin.sha256 == run.record.stage_hash
        node = json.loads((run.path / origin.artifact).read_text())
    for part in origin.column.split("."):
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


def test_every_number_is_its_cell_at_the_precision_shown(papers, studies, name):
    paper = papers[name]
    values = page_of(paper).values
    assert len(values) == paper.n_values > 150
    entries = paper.evidence["values"]
    assert sorted({number for number, _ in values}) == list(range(len(entries)))
    expected = [_expected(entry, studies[name]) for entry in entries]
    for number, text in values:
        assert text.replace("−", "-") == expected[number] == entries[number]["shown"].replace("−", "-"), entries[number]


def _expected(entry, facts: PaperFacts) -> str:
    origin = Origin(**{**{k: v for k, v in entry["origin"].items() if k != "table"}, "name": entry["origin"]["table"],
                       "kind": Kind(entry["origin"]["kind"])})  # fmt: skip
    value = _again(Cell(None, origin), facts)
    spec = entry["format"]
    if spec == "words":
        said = {0: "none", 1: "one", 2: "two", 4: "four", 6: "six", 8: "eight", 11: "eleven"}
        return said.get(value, str(value))
    if spec == "p":
        return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 1e-3 else f"{value:.3f}"
    return " ".join(str(value).split()) if spec == "text" else format(value, spec)


def test_the_pdf_shows_the_same_numbers_as_the_html(papers, name):
    page, text = page_of(papers[name]), pdf_text(papers[name].pdf)
    addresses = [text for href, text in page.links if href.startswith("https:")]  # they are broken at their dots
    rest = [text for href, text in page.links if not href.startswith("https:")]
    in_html = Counter(NUMBER.findall(" ".join([*page.prose, *page.code, *rest, *(text for _, text in page.values)])))
    in_pdf = Counter(NUMBER.findall(text))
    pages = Counter(map(str, range(1, 1 + text.count("\n"))))
    fragments = Counter(re.findall(r"\d+", " ".join(addresses)) + NUMBER.findall(" ".join(addresses)))
    assert in_html - in_pdf == Counter()
    assert in_pdf - in_html - pages - fragments == Counter()


def test_the_page_needs_nothing_beside_it(papers, name):
    page = page_of(papers[name])
    assert page.images
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', papers[name].html)
    assert policy is not None
    assert set(policy[1].split("; ")) == {"default-src 'none'", "img-src data:", "style-src 'unsafe-inline'"}
    assert all(image.startswith("data:image/webp;base64,") for image in page.images)
    assert not re.search(r"<(script|link|iframe)|url\(", papers[name].html)
    assert len(page.ids) == len(set(page.ids))
    inner = {href[1:] for href, _ in page.links if href.startswith("#")}
    assert inner <= set(page.ids)


@pytest.mark.skipif(CHROMIUM is None, reason=REASON)
def test_a_browser_shows_its_own_pictures_and_refuses_all_others(papers, tmp_path):
    from matplotlib import image

    page, seen = tmp_path / "page.html", tmp_path / "seen.png"
    (tmp_path / "away.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><rect width="99" height="99" fill="#00f"/></svg>'
    )
    dot = base64.b64encode((tmp_path / "away.svg").read_bytes().replace(b"#00f", b"#f0f")).decode()
    ours, theirs = (
        f'<img src="data:image/svg+xml;base64,{dot}">',
        '<img src="away.svg"><script>document.body.remove()</script>',
    )
    made = next(iter(papers.values())).html
    page.write_text(made.replace("<main>", f'<main style="padding:0">{ours}{theirs}', 1))
    told = look(page, tmp_path / "profile", screenshot=seen).console
    assert sum("Content Security Policy" in line for line in told) >= 2
    pixels = image.imread(seen)[:, :, :3]
    assert (abs(pixels - (1, 0, 1)).max(axis=2) < 0.05).sum() > 9000
    assert (abs(pixels - (0, 0, 1)).max(axis=2) < 0.05).sum() == 0
    page.write_text(made)
    assert look(page, tmp_path / "profile").console == ()


def words_of(facts: PaperFacts) -> dict[str, str]:
    """The filled sections as words, values in place."""
    filled = fill(FOLDER, {**facts.names(), "works": []}, Ledger())
    return {
        section[:2]: " ".join(re.sub(r"\\(.)", r"\1", MARKED.sub(r"\2", text)).split())
        for section, text in filled.items()
    }


@pytest.fixture(scope="module")
def words(studies) -> dict[str, dict[str, str]]:
    return {name: words_of(facts) for name, facts in studies.items()}


@pytest.mark.parametrize(
    ("study", "section", "said"),
    [
        ("both", "01", "On calibration text rates match their targets in every layer and at every gain. On the held-out windows"),
        ("both", "01", "are 1.07 to 1.37 times their targets in BASE and 1.07 to 1.37 times their targets in INSTRUCT."),
        ("both", "00", "- In BASE, at g*: in all eight conditions it is shown that knocked-out events take events of the next"),
        ("both", "01", "beyond the control, in all eight conditions in BASE (`sigma_depth` 0.560 an event) and in all eight"),
        ("both", "01", "That they do in every condition is supported."),
        ("both", "01", "No interval of `sigma_depth` reaches one: on average an event that is put out takes fewer"),
        ("both", "01", "at g1, the first block included, is −0.070 [−0.084, −0.056] nats a layer in BASE and −0.070"),
        ("both", "01", "The branching ratio of the rasters varies with the gain beyond its nulls in all six conditions that allow"),
        ("both", "01", "the comparison in BASE and in all six"),
        ("both", "01", "In BASE it is identified in all eight conditions and lies on the edge of the grid in none; the ratio"),
        ("both", "01", "g* follows from calibration data by a fixed rule and was carried over unchanged to other text"),
        ("both", "01", "at all four rates in BASE and at all four rates in INSTRUCT; that they do at every rate is supported."),
        ("both", "01", "Of 40 verdicts of falsifiers in BASE, none speak against a critical reading."),
        ("both", "02", "Five claims are judged by stated rules: - C1: On calibration text"),
        ("both", "02", "Beside them stand one signature of propagation, six descriptions of rasters and five falsifiers"),
        ("both", "03", "run's own shape (8 x 128 x 96, layers by tokens by windows), 20 of each kind."),
        ("both", "04", "The confidence sets hold one of the eleven gains."),
        ("both", "04", "| 1e-05 | 1.1 | 3172 | 18.0% | 16.0% | 0.100 [0.080, 0.120] | 0.0005 | 0.110 [0.088, 0.132] |"),
        ("both", "04", "rate of 2% (shared input) and a detection rate of 97% (a = 0.3), each from 200 networks"),
        ("missing", "04", "How often S6 passes on networks whose answer is known was not measured."),
        ("both", "04", "Every interval lies below zero: from the embeddings to the last layer, small differences shrink relative"),
        ("both", "04", "| S3 crackling | 8 | 0 | 0 | 85% | shared AR(1), s = 0.6 | 40% | critical, h = 0.001 |"),
        ("both", "05", "put out, they take more of them away, on balance, than as many random units do."),
        ("both", "05", "to exceed every null of rasters in all eight conditions (X1). The excess of text"),
        ("both", "05", "the false-alarm rate of each description that was judged is 85%; the detection rate"),
        ("both", "04", "| 0.030 [0.020, 0.050] |"),
        ("one", "00", "Only the model of role INSTRUCT has run"),
        ("one", "04", "Table T07 is not available: only INSTRUCT has run; BASE is missing."),
        ("one", "05", "With one model, nothing is replicated yet."),
        ("fails", "01", "Even on calibration text rates do not match their targets everywhere"),
        ("fails", "01", "in none of the six conditions that allow the comparison in BASE and in none of the six"),
        ("fails", "01", "that it does in all of them is not supported."),
        ("fails", "01", "That g* follows from calibration data by a fixed rule and was carried over unchanged is not supported."),
        ("fails", "01", "at none of the four rates in BASE and at none of the four rates in INSTRUCT; that they do at every"),
        ("fails", "00", "in none of the eight conditions is it shown that knocked-out events take events"),
        ("fails", "01", "Of 40 verdicts of falsifiers in BASE, all 40 speak against a critical reading."),
        ("fails", "05", "That events of a layer have a part in the events of the next is not shown in every condition."),
        ("fails", "05", "to exceed every null of rasters in none of the eight conditions (X1). The excess"),
        ("missing", "01", "Whether rates match on calibration text is not available."),
        ("missing", "01", "Whether the branching ratio of the rasters varies with the gain beyond its nulls is not available"),
        ("missing", "01", "In BASE it is identified in none of the eight conditions"),
        ("missing", "01", "depend on the definition of an event is not available: in BASE at all four rates g* is not identified"),
        ("missing", "00", "in none of the eight conditions can it be told whether knocked-out events take"),
        ("missing", "01", "Whether events that are put out at g* take events of the next layer with them is not available"),
        ("missing", "01", "In BASE no verdict of a falsifier is available."),
        ("missing", "03", "No control lattices were judged in this study"),
        ("missing", "04", "A dash, or a number without its interval, is not available: no event was put out."),
        ("missing", "04", "In BASE the exponent or its interval is not available: the model has one layer."),
        ("missing", "05", "Whether events of a layer have a part in the events of the next is not available: in BASE in none of"),
        ("missing", "05", "Their false-alarm rates were not measured on this lattice"),
        ("missing", "05", "Whether `b_tot` at g* exceeds every null of rasters (X1) is not available in BASE."),
        ("missing", "05", "depend on the definition of an event is not available"),
    ],
)  # fmt: skip
def test_the_wording_follows_the_verdicts(words, study, section, said):
    assert said in words[study][section]


def test_the_abstract_names_neither_s1_nor_anything_that_rasters_cannot_show(words):
    for sections in words.values():
        assert "S1" not in sections["01"]
        everything = " ".join(sections.values())
        assert re.findall(r"passed on|hands? activity|follow each other|successor|spread over", everything) == []


@pytest.mark.parametrize("ends", [(0.9, 1.2), (np.nan, np.nan)])
def test_a_sigma_depth_that_may_be_one_is_not_called_less(base, ends):
    changed = dict(zip(("ci_low", "ci_high"), ends, strict=True))
    abstract = words_of(facts_of(with_table(base, CANON.TABLE.T08_SIGNATURES, lambda f: f.assign(**changed))))["01"]
    assert "reaches one" not in abstract


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (
            (0.01, 0.1),
            "Every interval lies above zero: from the embeddings to the last layer, small differences grow",
        ),
        ((-0.1, 0.1), "Its intervals do not all lie on one side of zero."),
    ],
)
def test_the_side_of_the_edge_is_that_of_every_interval(base, ends, said):
    changed = dict(zip(("lyapunov_ci_low", "lyapunov_ci_high"), ends, strict=True))
    results = words_of(facts_of(with_table(base, CANON.TABLE.T10_KNOCKOUTS, lambda f: f.assign(**changed))))["04"]
    assert said in results
    assert "die out" not in results


def test_without_an_interval_no_side_of_the_edge_is_named(base):
    nothing = dict.fromkeys(("lyapunov_ci_low", "lyapunov_ci_high"), np.nan)
    results = words_of(facts_of(with_table(base, CANON.TABLE.T10_KNOCKOUTS, lambda f: f.assign(**nothing))))["04"]
    assert "one side of zero" not in results


def test_two_roles_on_different_windows_make_a_paper_without_t07(base, tmp_path):
    other = evidence_of(RunStore(tmp_path / "runs"), ModelRole.INSTRUCT, windows="b" * 64)
    paper = compose(facts_of(base, other))
    assert "nothing sets them side by side" in paper.markdown["05_DISCUSSION.md"]
    assert "T07 is not available" in paper.markdown["04_RESULTS.md"]


def test_markdown_holds_the_same_values_and_no_marks_of_the_machine(papers, name):
    text = "\n".join(papers[name].markdown.values())
    assert not re.search("[\ue000-\uf8ff]", text)
    assert "[@" not in text
    assert "](fig:" not in text
    assert all(shown.replace("|", "") in re.sub(r"\\(.)", r"\1", text).replace("|", "")
               for shown in (entry["shown"] for entry in papers[name].evidence["values"]))  # fmt: skip


def test_figures_are_those_of_the_runs_by_their_digests(papers, studies):
    figures = papers["both"].evidence["figures"]
    assert {each["figure"] for each in figures if each["role"] == "BASE"} == {f"F{n:02d}" for n in range(1, 17)}
    runs = {run.run_id: run for evidence in studies["both"].roles for run in evidence.runs.values()}
    for each in figures:
        for path, digest in each["files"].items():
            assert runs[each["run_id"]].artifacts[path].sha256 == digest


def test_a_missing_figure_names_run_and_file(tmp_path):
    name = f"{CANON.RUN_SUBDIR.FIGS}/{CANON.FIGURE.F06_GENERALIZATION_B}"
    for suffix, words in ((".png", CANON.FIGURE.F06_GENERALIZATION_B), (".pdf", f"{name}.pdf")):
        evidence = evidence_of(RunStore(tmp_path / suffix), ModelRole.BASE, left_out=f"{name}{suffix}")
        with pytest.raises(DependencyError, match=words) as caught:
            compose(facts_of(evidence))
        assert evidence.runs[Stage.S06B].run_id in str(caught.value)


def test_bytes_depend_on_the_paper_alone(papers, studies, tmp_path):
    with kept.nothing():
        again = compose(studies["both"])
    assert (again.pdf, again.html, again.markdown) == (
        papers["both"].pdf,
        papers["both"].html,
        papers["both"].markdown,
    )
    code = (
        "import sys; from critnb.paper.pdf import compiled; from critnb.paper.typesetting import Typesetting\n"
        "from critnb.paper.cells import Ledger; from critnb.paper.markup import parse, parser\n"
        "setting = Typesetting('T', ('A',), 'm', 'RUN', {}, Ledger(), {})\n"
        "sys.stdout.buffer.write(compiled([parse(parser(), '# A\\n\\nb γ\\n\\n| x |\\n| --- |\\n| 1 |\\n')], setting))"
    )
    made = set()
    for zone, home in (("Asia/Tokyo", tmp_path), ("America/Lima", FOLDER)):
        environment = {**os.environ, "TZ": zone, "HOME": str(home), "LC_ALL": "C"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=True
        )
        made.add(done.stdout)
    assert len(made) == 1


HOSTILE = 'a#b $x$ *y* _z_ `c` "q" \\n #panic("x") [l](u) <t> @r // no'


def test_text_is_never_read_as_markup(base):
    facts = facts_of(base, title=HOSTILE, authors=(HOSTILE,))
    paper = compose(facts)
    assert "tiny_base#1" in page_of(paper).code
    assert HOSTILE in " ".join(page_of(paper).prose)
    assert HOSTILE.replace(" ", "") in re.sub(r"\s", "", pdf_text(paper.pdf))


def test_a_token_without_a_rule_for_the_pdf_is_an_error():
    setting = Typesetting("T", (), "m", "RUN", {}, Ledger(), {})
    with pytest.raises(PaperError, match="html_block"):
        source([[Token("html_block", "", 0)]], setting)
    with pytest.raises(PaperError, match="cannot be set"):
        compiled([[Token("paper_reference", "", 0, meta={"targets": [Target("fig", "F99")]})]], setting)


def test_criteria_are_all_in_the_paper(papers):
    text = " ".join(page_of(papers["both"]).prose)
    for criterion in Criterion:
        first, *words = criterion.split("_")
        assert " ".join([first, *map(str.lower, words)]) in text
