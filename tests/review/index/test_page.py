"""The page of a runs folder: what it says of runs in every state, and that nothing in a record can break it."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import CHROMIUM, REASON, WIDTH, Elements, look
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made import MODEL, begun, made
from review.index.conftest import GATES

from critnb.canon import CANON, Exit, Stage
from critnb.cli.command_line import main
from critnb.errors import DependencyError, StorageError
from critnb.report.stylesheet import LIGHT
from critnb.review.index import RunFacts, RunStatus, facts_of, refresh_index, render, write_index
from critnb.review.index.facts import ChangedParam
from critnb.runs import RunStore, verify

INDEX = CANON.OUTPUT.INDEX_HTML_BASENAME


def by_status(folder: Path) -> dict[RunStatus, list[str]]:
    found: dict[RunStatus, list[str]] = {}
    for facts in facts_of(RunStore(folder)):
        found.setdefault(facts.status, []).append(facts.stage)
    return found


def relative(page: str) -> list[str]:
    return [target for target in Elements(page).targets() if not target.startswith("#")]


def test_every_state_has_its_word(folder):
    assert by_status(folder) == {
        RunStatus.complete: ["S01", "S02", "S02", "S05"],
        RunStatus.failed: ["S02B"],
        RunStatus.incomplete: ["S02B"],
        RunStatus.unreadable: ["S03", "S03"],
        RunStatus.running: ["S04"],
    }


def test_reasons_say_what_is_wrong(folder):
    reasons = [facts.reason for facts in facts_of(RunStore(folder)) if facts.status is RunStatus.unreadable]
    assert reasons == [
        f"{CANON.OUTPUT.RUN_RECORD_JSON} is no JSON",
        "its record cannot be understood: its schema is 2.0, this version of the pack reads 1.0",
    ]


def test_paper_and_release_of_the_newest_runs_stand_first(store):
    runs = [
        made(store, Stage.S05, role=role, model={**MODEL, "id": f"tiny-{role.lower()}"})
        for role in ("INSTRUCT", "BASE")
    ]
    made(store, Stage.S07, upstream=runs[:1], roles=["INSTRUCT"], files={"paper/paper.html": b"old"})
    newest = made(store, Stage.S07, upstream=runs, roles=["BASE", "INSTRUCT"], files={"paper/paper.html": b"<p>x</p>"})
    release = made(store, Stage.S08, roles=["BASE", "INSTRUCT"], files={"results/a.zip": b"PK"})
    page = render(facts_of(store)).decode()
    assert relative(page)[:2] == [f"{newest.run_id}/paper/paper.html", f"{release.run_id}/results/a.zip"]
    bands = {(facts.role, facts.model) for facts in facts_of(store) if facts.stage is Stage.S07}
    assert bands == {("BASE + INSTRUCT", "tiny-base + tiny-instruct"), ("INSTRUCT alone", "tiny-instruct")}


CLAIMED = {
    "claim": "C1_RATES_MATCH",
    "statement": "Rates match <exactly>.",
    "roles": {"BASE": {"verdict": "not supported", "reason": "3 of 9 miss"}},
}


def first_part(store: RunStore) -> Elements:
    """What stands above the picture of the chain."""
    return Elements(render(facts_of(store)).decode().partition("<svg")[0])


def test_verdicts_and_every_failed_gate_of_the_latest_runs_stand_before_the_picture(store):
    made(store, Stage.S02, gates=GATES, params={"events": {"tau0": 3.0}})
    latest = made(store, Stage.S02, gates=[replace(GATES[0], name="g* <b>", value="1 of 6"), GATES[1]])
    choice = made(store, Stage.S02B, upstream=[latest], files={"notebook/n.html": b"<p>"})
    metrics = {"claims": {"C1_RATES_MATCH": "not supported", "C2_BRANCHING_VARIES": "supported"}}
    paper = made(store, Stage.S07, roles=["BASE"], metrics=metrics, files={"results/claims.json": [CLAIMED]})
    first = first_part(store)
    text = " ".join(first.text.split())
    for words in (
        "Rates match <exactly>.",
        "BASE, not supported: 3 of 9 miss",
        "branching varies",
        "g* <b>: 1 of 6",
        GATES[0].reason,
    ):
        assert words in text
    assert text.count("of 6") == 1, "an earlier run of the stage is left out, and so is a gate that passes"
    assert [len(first.of_class(kind)) for kind in ("fail", "pass")] == [1, 1]
    assert f"{paper.run_id}/results/claims.json" in first.targets()
    assert f"{choice.run_id}/notebook/n.html" in first.targets()


@pytest.mark.parametrize("content", [b"[]", b"{", b"null", json.dumps([{**CLAIMED, "statement": "forged"}]).encode()])
def test_claims_of_another_file_than_the_record_names_are_not_shown(store, content):
    metrics = {"claims": {"C1_RATES_MATCH": "supported"}}
    paper = made(store, Stage.S07, roles=["BASE"], metrics=metrics, files={"results/claims.json": [CLAIMED]})
    (paper.path / "results/claims.json").write_bytes(content)
    text = first_part(store).text
    assert "rates match" in text
    assert "forged" not in text


def test_verdicts_are_shown_where_their_words_are_those_of_another_version(store):
    metrics = {"claims": {"C1_RATES_MATCH": "supported"}}
    made(store, Stage.S07, roles=["BASE"], metrics=metrics, files={"results/claims.json": [{"roles": 3}]})
    assert "rates match" in first_part(store).text


def test_a_figure_leads_to_the_rows_that_it_was_drawn_from(folder, page):
    (analysis,) = [facts for facts in facts_of(RunStore(folder)) if facts.stage is Stage.S05]
    found = page.partition('alt="F09 chi curves"')[2].partition("</figure>")[0]
    assert Elements(found).targets() == [f"{analysis.folder}/{CANON.RUN_SUBDIR.TABLES}/{CANON.TABLE.T01_SUMMARY}.csv"]


def test_the_picture_has_one_box_a_run_with_colour_and_word(folder, page):
    elements = Elements(page)
    boxes = Counter(str(box["class"]).split()[1] for box in elements.of_class("run"))
    assert boxes == {status: len(stages) for status, stages in by_status(folder).items()}
    assert elements.text.count("older ones") == 1


def test_every_run_has_its_place_and_every_link_on_the_page_leads_to_one(folder, page):
    elements = Elements(page)
    ids = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    assert ids >= set(RunStore(folder).ids())
    assert {target[1:] for target in elements.targets() if target.startswith("#")} <= ids


def test_links_are_relative_and_lead_to_files(folder, page):
    targets = relative(page)
    assert targets
    assert all((folder / target).is_file() for target in targets)
    assert not any(target.startswith(("/", "file:", "http", "..")) for target in targets)
    named = {facts.folder for facts in facts_of(RunStore(folder)) if facts.artifacts}
    assert {target.partition("/")[0] for target in targets} == named


def test_nothing_from_outside_and_no_script(page):
    elements = Elements(page)
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in elements.found}
    assert not any(key.startswith("on") for _, attributes in elements.found for key in attributes)
    assert "url(" not in page.replace("url(#tip)", "")
    assert "@import" not in page


def test_text_of_a_record_stays_text(page):
    assert page.count("&lt;script&gt;document.title") == 2
    assert "<script" not in page
    assert "\x07" not in page


def test_gates_warnings_figures_tables_params_and_digests(folder, page):
    elements = Elements(page)
    assert [len(elements.of_class(kind)) for kind in ("fail", "not-available", "pass")] == [1, 1, 1]
    for text in ("1.97656", "3 of 6", "the others are marked", "beware", "a note", "1 gate fails"):
        assert text in elements.text
    assert "F01 raster example" in elements.text
    assert "T01 summary" in elements.text
    assert "events.tau0 = 3.0 (default 2.5)" in elements.text
    assert "windows.seq_len = 128 (default 256)" in elements.text
    analysis = next(facts for facts in facts_of(RunStore(folder)) if facts.stage is Stage.S05)
    assert all(artifact.sha256 in elements.text for artifact in analysis.artifacts)
    assert analysis.model == "tiny", "its own record names none; the calibration upstream does"
    images = [attributes["src"] for tag, attributes in elements.found if tag == "img"]
    assert [str(image).rpartition("/")[2][:7] for image in images] == ["fig_F01", "fig_F09"]


def test_every_file_of_a_run_can_be_opened_outside_the_folded_list_too(folder, page):
    analysis = next(facts for facts in facts_of(RunStore(folder)) if facts.stage is Stage.S05)
    linked = Counter(relative(page))
    for artifact in analysis.artifacts:
        assert linked[f"{analysis.folder}/{artifact.path}"] >= 2, artifact.path
    main = [unquote(str(link["href"])).rpartition("/")[2] for link in Elements(page).of_class("main")]
    assert main == ["n.html", "n.ipynb", "paper.pdf"]


def test_runs_and_folders_that_are_none_of_ours(page):
    assert "RUN_S99_0123456789ab" in Elements(page).text
    assert "notes" not in [target.partition("/")[0] for target in relative(page)]


def test_the_same_runs_give_the_same_bytes_wherever_they_lie(store, tmp_path):
    run = made(store)
    begun(store, Stage.S02B, upstream=[run]).close()
    first = write_index(store).read_bytes()
    assert write_index(store).read_bytes() == first
    copy = RunStore(shutil.copytree(store.root, tmp_path / "moved"))
    assert write_index(copy).read_bytes() == first
    assert str(tmp_path).encode() not in first
    runs = facts_of(store)
    assert render(runs[::-1]) == render(runs)


def test_an_empty_folder_and_none(tmp_path):
    store = RunStore(tmp_path / "runs")
    with pytest.raises(DependencyError, match="no such folder"):
        write_index(store)
    refresh_index(store)
    assert not store.root.exists()
    store.root.mkdir()
    refresh_index(store)
    assert not (store.root / INDEX).exists()
    assert b"There is no run here yet" in write_index(store).read_bytes()
    refresh_index(store)
    assert (store.root / INDEX).exists()


def test_a_page_that_cannot_be_written_is_a_warning_after_a_run(store, caplog):
    made(store)
    (store.root / INDEX).mkdir()
    with pytest.raises(StorageError, match=INDEX):
        write_index(store)
    refresh_index(store)
    (told,) = caplog.messages
    assert told.startswith(f"warning: {INDEX} was not renewed: ")


def test_neither_list_nor_verify_mind_the_page(store, capsys):
    run = made(store)
    write_index(store)
    assert verify(run.path) == []
    assert store.ids() == [run.run_id]
    assert main(["verify", "--runs-dir", str(store.root)]) == Exit.DONE
    assert main(["list", "--runs-dir", str(store.root)]) == Exit.DONE
    assert INDEX not in capsys.readouterr().out


def test_the_command_writes_it_and_says_where(store, capsys, tmp_path):
    made(store)
    assert main(["index", "--runs-dir", str(store.root)]) == Exit.DONE
    assert capsys.readouterr().out == f"{store.root / INDEX}\n"
    assert main(["index", "--runs-dir", str(tmp_path / "nowhere")]) == Exit.MISSING_DEPENDENCY
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


STRANGE = [
    ("metrics", "text"),
    ("metrics", {"gates": 3}),
    ("metrics", {"gates": [{"name": "x"}]}),
    ("metrics", {"gates": [{"name": "x", "value": 1, "condition": "", "verdict": "splendid"}]}),
    ("created_utc", "yesterday"),
    ("created_utc", 5),
    ("model", []),
    ("model", "a name"),
    ("hash_inputs", {}),
    ("hash_inputs", []),
    ("datasets", {"A": 3}),
    ("environment", {"packages": [1]}),
    ("warnings", 3),
    ("notes", [{"deep": [1]}]),
    ("command", None),
    ("code", 1),
    ("artifact_index", [{"path": 3, "sha256": 1, "bytes": "many", "media_type": 0, "created_utc": 0}]),
    ("schema_version", None),
    ("schema_version", ["1.0"]),
    ("stage_id", "S99"),
    ("run_id", "RUN_S02_ffffffffffff"),
    ("forward_windows", "<b>"),
]


@pytest.mark.parametrize(("field", "value"), STRANGE, ids=[f"{field}={value}" for field, value in STRANGE])
def test_a_strange_record_is_shown_as_far_as_it_goes(store, field, value):
    run = made(store)
    tree = {**run.record.to_dict(), field: value}
    path = run.path / CANON.OUTPUT.RUN_RECORD_JSON
    path.chmod(0o644)
    path.write_text(json.dumps(tree))
    page = write_index(store).read_text()
    assert len(Elements(page).of_class("run")) == 1
    assert run.run_id in page
    assert "<b>" not in page


@pytest.mark.parametrize("record", [b"", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'], ids=len)
def test_what_is_no_record(store, record):
    folder = store.root / "RUN_S02_0123456789ab"
    folder.mkdir(parents=True)
    (folder / CANON.OUTPUT.RUN_RECORD_JSON).write_bytes(record)
    (facts,) = facts_of(store)
    assert facts.status is RunStatus.unreadable
    assert facts.reason
    write_index(store)


def test_a_path_that_leads_out_of_the_run_is_no_link(store):
    run = made(store)
    tree = run.record.to_dict()
    for path in ("../../etc/passwd", "/etc/passwd", "javascript:alert(1)", "http://example.org/x", "a/../../b"):
        tree["artifact_index"].append({**tree["artifact_index"][0], "path": path})
    record = run.path / CANON.OUTPUT.RUN_RECORD_JSON
    record.chmod(0o644)
    record.write_text(json.dumps(tree))
    targets = relative(write_index(store).read_text())
    assert all((store.root / target).is_file() for target in targets)
    assert not any(word in target for target in targets for word in ("..", "passwd", "javascript", "http"))


def test_half_a_surrogate_pair_and_a_ring_of_dependencies(store):
    run = made(store)
    dependency = {"stage_id": "S02", "run_id": run.run_id, "stage_hash": "0" * 64, "record_sha256": "0" * 64}
    tree = {**run.record.to_dict(), "notes": ["\ud800"], "dependencies": [dependency, dependency], "model": None}
    record = run.path / CANON.OUTPUT.RUN_RECORD_JSON
    record.chmod(0o644)
    record.write_text(json.dumps(tree))
    assert run.run_id in write_index(store).read_text()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (9000, "2 h 30 min"),
    ],
)
def test_spans_of_time(seconds, words):
    from critnb.review.index.page import duration

    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("n", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (6268, "6.27 kB"), (2_580_193, "2.58 MB"), (3.2e12, "3200 GB")],
)
def test_sizes(n, words):
    from critnb.review.index.files import size

    assert size(n) == words


@pytest.mark.slow
def test_hundreds_of_runs_take_a_moment(store):
    run = made(store)
    tree = run.record.to_dict()
    for number in range(400):
        run_id = f"RUN_S02_{number:012x}"
        (store.root / run_id).mkdir()
        (store.root / run_id / CANON.OUTPUT.RUN_RECORD_JSON).write_text(json.dumps({**tree, "run_id": run_id}))
    started = time.perf_counter()
    page = write_index(store).read_text()
    assert time.perf_counter() - started < 4
    assert len(Elements(page).of_class("run")) == 401


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=REASON)
def test_a_real_browser_shows_it_all_and_complains_of_nothing(folder, page, tmp_path):
    seen = look(folder / INDEX, tmp_path / "profile")
    assert seen.console == ()
    shown = Elements(seen.dom)
    assert len(shown.of_class("run")) == len(RunStore(folder).ids())
    assert sorted(shown.targets()) == sorted(Elements(page).targets())
    assert f"<title>{CANON.PROJECT.ID}: runs</title>" in seen.dom, "a script of a note would have changed it"
    assert all((folder / target).is_file() for target in relative(seen.dom))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=REASON)
def test_a_real_browser_draws_thumbnails_and_boxes_in_their_inks(folder, tmp_path):
    from matplotlib import image

    picture = tmp_path / "page.png"
    seen = look(folder / INDEX, tmp_path / "profile", screenshot=picture)
    assert seen.console == ()
    pixels = image.imread(picture)[:, :, :3] * 255
    assert pixels.shape[1] == WIDTH
    inks = {
        "thumbnail": (0xC0, 0, 0xC0),
        "complete": bytes.fromhex(LIGHT["good"][1:]),
        "failed": bytes.fromhex(LIGHT["bad"][1:]),
    }
    inks = {name: tuple(ink) for name, ink in inks.items()}
    for name, ink in inks.items():
        assert (abs(pixels - ink).max(axis=2) < 12).sum() > 100, name


def test_facts_can_be_chosen_for_a_page_of_some_runs(folder):
    chosen = [facts for facts in facts_of(RunStore(folder)) if facts.status is RunStatus.complete]
    page = render([replace(facts) for facts in chosen]).decode()
    assert len(Elements(page).of_class("run")) == 4


STRANGER = RunFacts(
    "RUN_S02_0123456789ab",
    Stage.S02,
    "x",
    RunStatus.failed,
    role="BASE",
    created="2026-01-01T00:00:00Z",
    gates=GATES,
    changed_params=(ChangedParam("k", "1", None),),
)


@settings(deadline=None)
@given(text=st.text(min_size=1))
@example("\u202eright to left\u2066 '\" \x00 {{ 7 * 7 }} {% raw %} </style> --> ")
def test_any_text_of_a_record_is_shown_as_it_is_and_changes_no_element(text):
    def page_of(words: str) -> Elements:
        once = dict.fromkeys(("reason", "model", "command"), words)
        lists = dict.fromkeys(("warnings", "notes", "circumstances", "upstream"), (words,))
        facts = replace(STRANGER, digests={words: words}, **once, **lists)
        return Elements(render([facts], strangers=[words]).decode())

    plain, strange = page_of("x"), page_of(text)
    assert [tag for tag, _ in strange.found] == [tag for tag, _ in plain.found]
    assert [attributes.get("class") for _, attributes in strange.found] == [
        attributes.get("class") for _, attributes in plain.found
    ]
    shown = "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)
    assert strange.text.count(shown) >= 9
