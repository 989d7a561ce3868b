from __future__ import annotations

import importlib
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import papermill
import pytest
from browser import CHROMIUM, REASON, Elements, faults, visiting
from made import MODEL, made
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.exceptions import PapermillExecutionError

from critnb.canon import PACK_ROOT, Stage
from critnb.gates import Gate, Verdict
from critnb.report.notebook import clean, of_run, to_html, to_ipynb
from critnb.runs import RunStore

# What a stage's notebook may do: warn, show progress, print where it is, show a table and a picture, and fail.
CELLS = [
    "import sys, warnings\nfrom pathlib import Path\nimport pandas as pd\nfrom tqdm import tqdm",
    "print(Path.cwd() / 'results')\nfor _ in tqdm(range(3)):\n    pass\nwarnings.warn('mind the gap')\nprint('on stdout')",
    "pd.DataFrame({'g': [0.7, 1.0], 'b_tot': [0.52, 0.98]})",
    "object()",
    "import critnb.errors as errors\nraise errors.DataError(f'{Path.cwd()}: no windows')",
]


def executed_in(folder: Path) -> nbformat.NotebookNode:
    folder.mkdir(parents=True)
    parameters = new_code_cell("run_dir = None", metadata={"tags": ["parameters"]})
    prose = new_markdown_cell("# S05 · What is seen?\n\nText & <em>prose</em>, see [the site](https://example.org).")
    source = new_notebook(cells=[prose, parameters, *map(new_code_cell, CELLS)])
    nbformat.write(source, folder / "in.ipynb")
    with pytest.raises(PapermillExecutionError):
        papermill.execute_notebook(
            str(folder / "in.ipynb"),
            str(folder / "out.ipynb"),
            parameters={"run_dir": str(folder / "RUN_S05.partial")},
            kernel_name="python3",
            language="python",
            cwd=str(folder),
            progress_bar=False,
        )
    return nbformat.read(folder / "out.ipynb", as_version=4)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, nbformat.NotebookNode]]:
    """One notebook, executed by real kernels in two folders at two times."""
    folders = [tmp_path_factory.mktemp("first") / "runs", tmp_path_factory.mktemp("second") / "elsewhere" / "runs"]
    return [(folder, executed_in(folder)) for folder in folders]


@pytest.fixture(scope="module")
def cleaned(twins) -> list[dict[str, Any]]:
    return [clean(notebook, roots=[folder, PACK_ROOT]) for folder, notebook in twins]


def test_two_executions_end_with_the_same_bytes(twins, cleaned) -> None:
    assert nbformat.writes(twins[0][1]) != nbformat.writes(twins[1][1])
    assert to_ipynb(cleaned[0]) == to_ipynb(cleaned[1])
    assert to_html(cleaned[0]) == to_html(cleaned[1])


def test_no_time_path_or_process_is_left(twins, cleaned) -> None:
    text = to_ipynb(cleaned[0]).decode() + to_html(cleaned[0]).decode()
    assert str(twins[0][0]) not in text
    assert str(PACK_ROOT) not in text
    assert not re.search(r"papermill\"|iopub|start_time|duration|ipykernel_\d|0x[0-9a-f]{6}", text)
    assert not re.search(time.strftime(r"%Y-%m-%dT\d\d:"), text)


def test_the_traceback_stays(cleaned) -> None:
    error = cleaned[0]["cells"][-1]["outputs"][-1]
    assert error["ename"] == "DataError"
    assert error["evalue"] == ".: no windows"
    assert "raise errors.DataError" in re.sub(r"\x1b\[[\d;]*m", "", "".join(error["traceback"]))
    assert "DataError" in to_html(cleaned[0]).decode()


def test_streams_are_joined_and_only_the_warning_is_left_of_stderr(cleaned) -> None:
    cell = next(cell for cell in cleaned[0]["cells"] if "tqdm(range" in cell["source"])
    assert [output["name"] for output in cell["outputs"]] == ["stdout", "stderr"]
    assert cell["outputs"][0]["text"] == "results\non stdout\n"
    assert cell["outputs"][1]["text"].startswith("<cell>:4: UserWarning: mind the gap\n")


def test_injected_parameters_are_relative(cleaned) -> None:
    cell = next(c for c in cleaned[0]["cells"] if "injected-parameters" in c["metadata"].get("tags", []))
    assert cell["source"] == "# Parameters\nrun_dir = 'RUN_S05.partial'"


def with_cell(**cell: Any) -> dict[str, Any]:
    notebook = new_notebook(cells=[new_code_cell("1")])
    notebook.cells[0].update(cell)
    return notebook


def outputs_of(*outputs: dict[str, Any], roots: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return clean(with_cell(outputs=list(outputs)), roots=roots)["cells"][0]["outputs"]


def stderr(text: str) -> str:
    return "".join(output["text"] for output in outputs_of(new_output("stream", name="stderr", text=text)))


@pytest.mark.parametrize(
    "debris",
    [
        "\r  0%|          | 0/30 [00:00<?, ?it/s]\r100%|██████████| 30/30 [00:00<00:00, 98.5it/s]\n",
        "windows 64/512  41.2 windows/s  11 s left\n",
        "\x1b[A\r 50%|#####     | 1/2 [00:01<00:01,  1.2s/it]\x1b[0m",
        "\n\n",
    ],
)
def test_progress_leaves_nothing(debris) -> None:
    assert stderr(debris) == ""


@pytest.mark.parametrize("kept", ["UserWarning: 3 windows were left out\n", "50 % of the units are clamped\n"])
def test_warnings_stay(kept) -> None:
    assert stderr("100%|####| 3/3 [00:00<00:00]\n" + kept) == kept


def test_overwritten_lines_of_stdout_end_as_seen() -> None:
    assert outputs_of(new_output("stream", text="a\rb\r\nc\n"))[0]["text"] == "b\nc\n"


def test_streams_around_a_figure_keep_their_places() -> None:
    shown = new_output("display_data", data={"text/plain": "figure"})
    found = outputs_of(
        new_output("stream", text="a\n"), new_output("stream", text="b\n"), shown, new_output("stream", text="c\n")
    )
    assert [output.get("text", "figure") for output in found] == ["a\nb\n", "figure", "c\n"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/data/pack/critnb/x.py:3", "critnb/x.py:3"),
        ("in /data/pack.", "in .."),
        ("/data/pack", "."),
        ("/data/package/x", "/data/package/x"),
        ("/data/pack/runs/R.partial/figs/a", "figs/a"),
    ],
)
def test_paths_under_roots_become_relative(before, after) -> None:
    roots = ("/data/pack", "/data/pack/runs/R.partial")
    assert outputs_of(new_output("stream", text=before), roots=roots)[0]["text"] == after


def test_widgets_go() -> None:
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "a1b2"}, "text/plain": "0%"}
    assert outputs_of(new_output("display_data", data=widget)) == []


def test_absolute_parameters_under_no_root_keep_their_name() -> None:
    source = "# Parameters\nparams = '/home/me/my.yaml'\noverrides = {'a': ['/x/y', 1]}\nrun_dir = None\n"
    notebook = with_cell(source=source, metadata={"tags": ["injected-parameters"]})
    assert clean(notebook, roots=[])["cells"][0]["source"] == (
        "# Parameters\nparams = 'my.yaml'\noverrides = {'a': ['y', 1]}\nrun_dir = None"
    )


def test_a_large_embedded_image_is_scanned_in_no_time() -> None:
    """Two million characters without a space took a quadratic pattern hours."""
    began = time.perf_counter()
    outputs_of(new_output("display_data", data={"text/html": "A1b/" * 500_000}), roots=("/data/pack",))
    assert time.perf_counter() - began < 5


def test_the_notebook_given_is_left_as_it_was() -> None:
    notebook = with_cell(outputs=[new_output("stream", text="/data/pack/x")], metadata={"execution": {"a": 1}})
    before = nbformat.writes(notebook)
    clean(notebook, roots=["/data/pack"])
    assert nbformat.writes(notebook) == before


def test_cleaned_again_it_is_the_same(cleaned) -> None:
    assert to_ipynb(clean(cleaned[0], roots=[])) == to_ipynb(cleaned[0])


def test_the_page_loads_nothing(cleaned) -> None:
    page = to_html(cleaned[0]).decode()
    assert not re.search(r"<script|<link|<iframe|@import|url\(|<img[^>]+src=.https?:", page)
    assert "Content-Security-Policy" in page
    assert 'href="https://example.org"' in page


def test_templates_of_a_user_change_nothing(cleaned, tmp_path, monkeypatch) -> None:
    """nbconvert looks for its templates in the working folder and in the user's Jupyter folders first."""
    before = to_html(cleaned[0])
    for folder in (tmp_path / "classic", tmp_path / "nbconvert" / "templates" / "classic"):
        folder.mkdir(parents=True)
        (folder / "base.html.j2").write_text("{%- block body -%}mine{%- endblock body -%}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert to_html(cleaned[0]) == before


def test_the_page_reads_in_order_with_its_code_folded(cleaned) -> None:
    page = to_html(cleaned[0]).decode()
    assert "<title>S05 · What is seen?</title>" in page
    # the parameters, those that were injected, and the imports show nothing: their code stands above that of the next cell
    assert page.count('<details class="code">') == page.count("</details>") == len(CELLS) - 1
    assert page.index("S05 · What is seen?</h1>") < page.index("on stdout") < page.index("0.98")


def sections() -> dict[str, Any]:
    """A notebook of four sections, the second folded, and what it shows."""
    shown = [new_output("display_data", data={"text/html": f"<p>shown {n}</p>"}) for n in range(4)]
    cells = [new_markdown_cell("# Title")]
    for n, output in enumerate(shown):
        tags = {"tags": ["folded"]} if n == 1 else {}
        cells.append(new_markdown_cell(f"## Part {n} & more\n\nprose {n}", metadata=tags))
        cells.append(new_code_cell("x", outputs=[output]))
    return clean(new_notebook(cells=cells), roots=[])


def test_a_folded_section_ends_where_the_next_begins() -> None:
    page = to_html(sections()).decode()
    inside = page.partition('<details class="fold">')[2]
    code, _, after = inside.partition("shown 1")
    assert code.index("Part 1 &amp; more</h2></summary>") < code.index("prose 1")
    assert after.index("</details>") < after.index("prose 2")
    assert page.count("<h2") == 4


def test_the_table_of_contents_leads_to_every_section() -> None:
    elements = Elements(to_html(sections()).decode())
    ids = [attributes.get("id") for tag, attributes in elements.found if tag == "h2"]
    assert [target[1:] for target in elements.targets()] == ids
    assert len(set(ids)) == 4


def test_a_page_says_whose_it_is_and_leads_to_what_it_rests_on(tmp_path) -> None:
    """The model and the data of a stage that reads none are those of the runs above it."""
    store = RunStore(tmp_path)
    facts = {
        "source": "a < b",
        "revision": None,
        "split": None,
        "n_windows": 5,
        "seq_len": 32,
        "slice_sha256": "3" * 64,
    }
    calibration = made(store, Stage.S01, model=MODEL, files={"notebook/n.html": b"<p>"}, datasets={"A_cal": facts})
    grid = made(store, Stage.S02, upstream=[calibration])
    gates = [
        Gate("long", None, "one", Verdict.NOT_AVAILABLE),
        Gate("g* <b>", 1, "x", Verdict.FAIL),
        Gate("rates", 1, "x", Verdict.PASS),
    ]
    run = made(
        store, Stage.S05, upstream=[grid], gates=gates, files={"tables/t.csv": b"a", "tables/t.parquet": pd.DataFrame()}
    )
    page = Elements(to_html(sections(), of_run(run)).decode())
    for words in (run.run_id, "BASE", "tiny (BASE, 2 layers of 8 MLP units)", "A_cal: 5 windows of 32 tokens of a < b"):
        assert words in page.text
    assert run.record.created_utc[:10] in page.text
    assert "1 of 3 pass; fail: g* <b>; not available: long" in page.text
    targets = [target for target in page.targets() if not target.startswith("#")]
    assert targets == [
        f"../../index.html#{run.run_id}",
        "../config_resolved.yaml",
        "../run_record.json",
        f"../../index.html#{grid.run_id}",
        "../tables/t.csv",
    ]
    above = Elements(to_html(sections(), of_run(grid)).decode())
    assert f"../../{calibration.run_id}/notebook/n.html" in above.targets()


def test_the_title_may_be_the_notebooks_own() -> None:
    notebook = new_notebook(metadata={"title": "a < b"}, cells=[new_markdown_cell("# other")])
    assert "<title>a &lt; b</title>" in to_html(clean(notebook, roots=[])).decode()


def test_outputs_that_need_scripts_stay_out_of_the_page() -> None:
    script = new_output("display_data", data={"application/javascript": "alert(1)"})
    page = to_html(clean(with_cell(outputs=[script]), roots=[])).decode()
    assert "alert" not in page
    assert page == to_html(clean(with_cell(outputs=[script]), roots=[])).decode()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=REASON)
def test_any_notebook_is_exported_as_a_page_that_asks_no_network(tmp_path):
    """nbconvert's own HTML asks for MathJax and require.js; ours is what the entry point names."""
    from nbconvert import HTMLExporter

    cells = [
        new_markdown_cell("# Any\n\n$x^2$\n\n| a | b |\n| - | - |\n| 1 | 2 |"),
        new_code_cell("x", outputs=[new_output("execute_result", {"text/plain": "1"})]),
    ]
    notebook = new_notebook(cells=cells)
    named = tomllib.loads((PACK_ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["nbconvert.exporters"]
    module, _, name = named["critnb"].partition(":")
    ours = getattr(importlib.import_module(module), name)()
    for exporter, asks in ((ours, False), (HTMLExporter(), True)):
        page = tmp_path / "any.html"
        page.write_text(exporter.from_notebook_node(notebook)[0], encoding="utf-8")
        with visiting(page, width=800) as shown:
            assert any(url.startswith("https:") for url in shown.asked) == asks
        if not asks:
            assert faults(page, width=800, dark=True) == {}
