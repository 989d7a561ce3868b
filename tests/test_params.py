"""Params files: defaults, overrides, and one line that names the key for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from critnb.canon import CANON, PACK_ROOT, Adjacency, DatasetRole, Exit, Intervention, ModelRole, SpikeDef
from critnb.cli.command_line import main
from critnb.errors import ParamsError
from critnb.params import Params, dump_yaml, find, load, parse_override, parse_yaml, validate

PARAMS_DIR = PACK_ROOT / CANON.PATH.PARAMS_DIR


@pytest.fixture
def refusal(tmp_path):
    """The message that a params file with this content gets."""

    def refuse(content: str | bytes, *overrides: str) -> str:
        path = tmp_path / "mine.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ParamsError) as caught:
            load(path, dict(map(parse_override, overrides)))
        assert caught.value.exit_code is Exit.BAD_INPUT
        assert str(caught.value).count("\n") <= 1
        return str(caught.value)

    return refuse


def test_an_empty_file_has_the_defaults_of_the_contract(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    params = load(tmp_path / "empty.yaml").params
    assert (params.windows.seq_len, params.windows.n_calibration, params.windows.n_raster) == (256, 64, 128)
    assert (params.windows.n_eval_b, params.windows.seed, params.windows.burn_in_tokens) == (96, 1337, 0)
    assert params.events.target_rates == [1e-5, 2e-5, 4e-5, 8e-5]
    assert (params.events.tau0, params.events.spike_defs) == (2.5, list(SpikeDef))
    assert params.gain.grid == [0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3]
    assert (params.nulls.replicates, params.nulls.verdict_replicates, params.analysis.bootstrap_reps) == (
        200,
        1999,
        500,
    )
    assert params.analysis.adjacency is Adjacency.ADJ_4N
    assert list(params.models) == list(ModelRole)


def test_a_reference_gives_the_registry_s_value():
    tree = {"gain": {"grid": "CANON.CONST.GAIN_GRID_DEFAULT"}, "events": {"tau0": "CANON.CONST.TAU0_BASELINE"}}
    params = validate(tree, origin="test")
    assert params.gain.grid == list(CANON.CONST.GAIN_GRID_DEFAULT)
    assert params.events.tau0 == CANON.CONST.TAU0_BASELINE


def test_lists_are_put_in_one_order_so_that_spelling_does_not_change_a_run():
    one = validate({"gain": {"grid": [1.3, 0.7, 1]}, "events": {"target_rates": [2e-5, 1e-5]}}, origin="test")
    other = validate({"gain": {"grid": [0.7, 1.0, 1.3]}, "events": {"target_rates": [1e-5, 2e-5]}}, origin="test")
    assert one == other
    assert one.gain.grid == [0.7, 1.0, 1.3]


def test_overrides_reach_into_sections_and_leave_the_rest(tmp_path):
    (tmp_path / "mine.yaml").write_text("windows: {seq_len: 64, n_raster: 7}\n")
    texts = ["windows.seq_len=32", "gain.grid=[1.0, 2]", "data.A={source: file, path: a.txt}", "data.A.path=b.txt"]
    params = load(tmp_path / "mine.yaml", dict(map(parse_override, texts))).params
    assert (params.windows.seq_len, params.windows.n_raster) == (32, 7)
    assert params.gain.grid == [1.0, 2.0]
    assert params.data.A.path == "b.txt"


@pytest.mark.parametrize("text", ["1e-5", "1E-5", "1.0e-5", "+1e-5", "1.e-5", ".1e-4", "0.00001", "01e-5"])
def test_a_number_in_any_spelling_is_a_number(text):
    assert parse_yaml(text, origin="test") == 1e-5


@pytest.mark.parametrize("text", ["1e", "e5", "1e-5x", "v1e5", "0x1e5g"])
def test_what_only_begins_like_a_number_stays_text(text):
    assert parse_yaml(text, origin="test") == text


def test_a_relative_path_is_meant_from_here_and_then_from_the_pack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"{CANON.PATH.PARAMS_DIR}/base.yaml"
    assert find(name) == PARAMS_DIR / "base.yaml"
    (tmp_path / CANON.PATH.PARAMS_DIR).mkdir()
    (tmp_path / name).write_text("")
    assert find(name) == tmp_path / name


def test_a_bare_name_is_looked_up_in_params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("base.yaml") == PARAMS_DIR / "base.yaml"
    (tmp_path / "base.yaml").write_text("")
    assert find("base.yaml") == tmp_path / "base.yaml"
    with pytest.raises(ParamsError, match=r"'other/base\.yaml' not found"):
        find("other/base.yaml")


def test_relative_paths_are_meant_from_the_params_file(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.yaml").write_text("data: {A: {source: file, path: ../a.txt}}")
    monkeypatch.chdir(tmp_path)
    loaded = load("sub/mine.yaml")
    assert loaded.resolve(loaded.params.data.A.path) == tmp_path / "a.txt"
    assert loaded.resolve("~/a.txt") == Path("~/a.txt").expanduser()


MISTAKES = [
    ("\ngian: {}", "line 2: gian: unknown key; did you mean gain?"),
    ("gain: {gird: [1.0]}", "gain.gird: unknown key; did you mean grid?"),
    ("file: 1", "file: unknown key"),
    ("data: {A: {source: file, path: x, feild: y}}", "data.A.feild: unknown key; did you mean field?"),
    ("data: {C: {source: embedded}}", "data.C: unknown key"),
    ("models: {BASE: {source: hub, id: a/b, path: c}}", "models.BASE.path: unknown key"),
    ("1: 2", "line 1: 1: a key must be text, found a number"),
    ("windows: {seq_len: 1}", "windows.seq_len: input should be greater than or equal to 2"),
    ("windows: {seq_len: 1.5}", "windows.seq_len: input should be a valid integer"),
    ("windows: {seq_len: true}", "windows.seq_len: input should be a valid integer"),
    ("windows: {seq_len: '32'}", "windows.seq_len: input should be a valid integer"),
    ("windows: {seq_len: 16, burn_in_tokens: 15}", "windows: burn_in_tokens must leave at least 2 of the 16"),
    ("windows: {n_calibration: 0}", "windows.n_calibration: input should be greater than or equal to 1"),
    ("windows: {seed: -1}", "windows.seed: input should be greater than or equal to 0"),
    ("windows: {seed: 9223372036854775808}", "windows.seed: input should be less than"),
    ("windows: null", "line 1: windows: must be a mapping of keys, found null"),
    ("events: {tau0: 0}", "events.tau0: input should be greater than 0"),
    ("events: {tau0: .inf}", "events.tau0: input should be a finite number"),
    ("events: {tau0: .nan}", "events.tau0: input should be "),
    ("events: {target_rates: []}", "events.target_rates: list should have at least 1 item"),
    ("events: {target_rates: [0]}", "events.target_rates.0: input should be greater than 0"),
    ("events:\n  target_rates:\n  - 1e-5\n  - 2", "line 4: events.target_rates.1: input should be less than 1"),
    ("events: {target_rates: ['1e-5']}", "events.target_rates.0: input should be a valid number"),
    ("events: {target_rates: [1e-5, 1.0e-5]}", "events.target_rates: holds a value twice"),
    ("events: {spike_defs: [SPIKE]}", "events.spike_defs.0: input should be 'SPIKE_ONE_SIDED_POS' or"),
    ("gain: {grid: []}", "gain.grid: list should have at least 1 item"),
    ("gain: {grid: 1.0}", "gain.grid: input should be a valid list"),
    ("gain: {grid: [0.9, 1.1]}", "gain.grid: must hold the baseline gain 1.0"),
    ("gain: {grid: [1, 1.0]}", "gain.grid: holds a value twice"),
    ("gain: {grid: [1.0, -1]}", "gain.grid.1: input should be greater than or equal to 0"),
    ("gain: {grid: [1.0, .inf]}", "gain.grid: holds a value that is not finite"),
    ("gain: {grid: [true, 1.0]}", "gain.grid.0: input should be a valid number"),
    ("gain: {interventions: [ATTN_GLOBAL]}", "gain.interventions: must hold MLP_GLOBAL"),
    ("nulls: {replicates: 1}", "nulls.replicates: input should be greater than or equal to 2"),
    ("analysis: {adjacency: ADJ_6N}", "analysis.adjacency: input should be 'ADJ_4N' or 'ADJ_8N'"),
    ("analysis: {bootstrap_reps: 1}", "analysis.bootstrap_reps: input should be greater than or equal to 2"),
    ("compute: {device: gpu}", "compute.device: must be auto, cpu, mps, cuda or cuda:N"),
    ("compute: {dtype: fp8}", "compute.dtype: input should be 'auto', 'float32'"),
    ("compute: {batch_tokens: 0}", "compute.batch_tokens: input should be greater than or equal to 1"),
    ("compute: {engine: spark}", "compute.engine: input should be 'local' or 'dask'"),
    ("compute: {workers: 2}", "compute: workers and scheduler are for engine dask"),
    ("report: {style: fancy}", "report.style: input should be 'default'"),
    ("windows: {seed: 010}", "line 1: windows.seed: 010 is octal to some readers"),
    ("windows: {seed: 1_000}", "line 1: windows.seed: input should be a valid integer, found '1_000'"),
    ("windows: {seed: 1:30}", "line 1: windows.seed: input should be a valid integer, found '1:30'"),
    ("windows: {seed: 2026-13-01}", "line 1: windows.seed: input should be a valid integer, found '2026-13-01'"),
    ("windows: {n_raster: 2147483648}", "windows.n_raster: input should be less than 2147483648"),
    ("nulls: {replicates: 99999999999}", "nulls.replicates: input should be less than 2147483648"),
    (
        "data: {B: {source: hub, id: a, streaming: yes}}",
        "data.B.streaming: input should be a valid boolean, found 'yes'",
    ),
    ("gain: {<<: {grid: [1.0]}}", "line 1: gain.<<: unknown key"),
    ("models: {BASE: {source: hub, id: a, revision: 1234567}}", "revision: must be text, found 1234567; put text in"),
    ("models: {BASE: {source: file, path: ~}}", "line 1: models.BASE.path: must be text, found null"),
    ('models: {BASE: {source: file, path: "a\\0b"}}', r"models.BASE.path: holds the character \x00"),
    ('models: {BASE: {source: hub, id: "a\\nb"}}', r"models.BASE.id: holds the character \n"),
    ('data: {A: {source: file, path: "a\\Lb"}}', r"data.A.path: holds the character \u2028"),
    (f"data: {{A: {{source: file, path: {'a' * 5000}}}}}", "data.A.path: string should have at most 4095 characters"),
    ('"\\e[31m": 1', r"line 1: \x1b[31m: unknown key"),
    ('gain: {"a\\nmine.yaml: forged": 1}', r"gain.a\nmine.yaml: forged: unknown key"),
    ('compute: {dtype: "\\u202e"}', r"found '\u202e'"),
    ('gain: {grid: "CANON.\\e[31m"}', r"CANON.\x1b[31m is not in the registry"),
    ("release: {authors: me}", "release.authors: input should be a valid list"),
    ("models: {}", "models: names no model; give one of BASE, INSTRUCT"),
    ("models: {FOO: {source: embedded}}", "models.FOO: input should be 'BASE' or 'INSTRUCT'"),
    ("models: {BASE: {path: x}}", "models.BASE: needs a source: one of embedded, file, hub"),
    ("models: {BASE: {source: web}}", "models.BASE: needs a source: one of embedded, file, hub"),
    ("models:\n  BASE: {source: file}", "line 2: models.BASE.path: is required"),
    ("models: {BASE: {source: hub, id: ''}}", "models.BASE.id: string should have at least 1 character"),
    ("data: {ARC_MCQ: {source: embedded, limit: 0}}", "data.ARC_MCQ.limit: input should be greater than or equal to 1"),
    ("gain: {grid: CANON.CONST.NO_SUCH}", "CANON.CONST.NO_SUCH is not in the registry"),
    ("gain: {}\ngain: {}", "line 2: gain: the key stands twice"),
    ("gain: {grid: [1.0], grid: [1.0]}", "line 1: gain.grid: the key stands twice"),
    (
        "gain: {grid: !!python/name:os.system x}",
        "line 1, column 14: the tag tag:yaml.org,2002:python/name:os.system is",
    ),
    ("gain: {grid: !mine [1]}", "line 1, column 14: the tag !mine is not allowed"),
    ("gain: [", "line 1, column 8"),
    ("release: {title: ${HOME}}", "line 1, column 19"),
    ("release: {title:\n  a\0b}", "line 2: not YAML: the character U+0000"),
    ("[1, 2]", "must be a mapping of sections, found a list"),
    ("gain: &loop {grid: *loop}", "line 1, column 7: anchors and aliases (& and *) are not allowed, found loop"),
    (b"release: {title: \xe9}", "not UTF-8 (byte 17)"),
]


@pytest.mark.parametrize(("content", "message"), MISTAKES, ids=[str(content)[:40] for content, _ in MISTAKES])
def test_a_mistake_is_one_line_that_names_the_file_and_the_key(refusal, content, message):
    (line,) = refusal(content).splitlines()
    assert "mine.yaml" in line
    assert message in line


def test_of_many_mistakes_two_are_told_and_the_rest_counted(refusal):
    assert refusal("x: 1\ny: 2\nz: 3").splitlines() == [
        "mine.yaml: line 1: x: unknown key",
        "mine.yaml: line 2: y: unknown key (and 1 more)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gain.grid", "write it as section.key=value"),
        ("=3", "write it as section.key=value"),
        ("gain.grid=[", "--set gain.grid=["),
        ("gain.grid=!!float 1", "is not allowed"),
    ],
)
def test_a_malformed_override_is_shown_as_it_was_written(text, message):
    with pytest.raises(ParamsError) as caught:
        parse_override(text)
    assert message in str(caught.value)
    assert text.partition(" ")[0] in str(caught.value)


def test_an_override_below_a_value_is_refused(refusal):
    assert refusal("events: {tau0: 2.0}", "events.tau0.x=1") == "--set events.tau0.x: tau0 is a value, not a section"
    assert "gain.gird: unknown key" in refusal("", "gain.gird=[1.0]")


def test_the_line_of_a_file_is_none_of_the_override_in_its_place(refusal):
    content = "windows:\n  seq_len: 1"
    assert refusal(content).startswith("mine.yaml: line 2: windows.seq_len: ")
    assert refusal(content, "windows.seq_len=0").startswith("--set: windows.seq_len: ")
    assert refusal(content, "windows={seq_len: 0}").startswith("--set: windows.seq_len: ")


def test_a_params_file_that_is_not_there():
    with pytest.raises(ParamsError, match=r"'nowhere\.yaml' not found in .* or .*params; give its path"):
        load("nowhere.yaml")


RATES = st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), min_size=1, max_size=5, unique=True)
GRIDS = st.lists(st.floats(0, 1e6), min_size=0, max_size=6, unique=True).map(lambda grid: sorted({*grid, 1.0}))
LETTERS = st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\xa0äπ漢\u200c\u202e\ufeff\U0001f600")
TEXTS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda t: not t.startswith("CANON."))
# text that YAML 1.1, or the core schema, or both would read as something else
LOOKS = st.from_regex(r"[-+.]?[0-9._:xob~eE+-]{1,8}|yes|null|TRUE|\.NaN|<<|=|- a|# b|'|\"", fullmatch=True)
SEPARATORS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
FILES = st.fixed_dictionaries(
    {"source": st.just("file"), "path": TEXTS}, optional={"separator": SEPARATORS, "field": TEXTS | LOOKS}
)
HUBS = st.fixed_dictionaries(
    {"source": st.just("hub"), "id": TEXTS}, optional={"revision": TEXTS, "streaming": st.booleans(), "split": TEXTS}
)
TREES = st.fixed_dictionaries(
    {},
    optional={
        "data": st.fixed_dictionaries({}, optional=dict.fromkeys((DatasetRole.A, DatasetRole.B), FILES | HUBS)),
        "windows": st.fixed_dictionaries(
            {},
            optional={
                "seq_len": st.integers(2, 10**6),
                "seed": st.integers(0, 2**63 - 1),
                "n_raster": st.integers(1, 2**31 - 1),
            },
        ),
        "events": st.fixed_dictionaries({}, optional={"tau0": st.floats(1e-9, 1e9), "target_rates": RATES}),
        "gain": st.fixed_dictionaries(
            {"grid": GRIDS},
            optional={
                "interventions": st.sets(st.sampled_from(list(Intervention))).map(
                    lambda chosen: list({Intervention.MLP_GLOBAL, *chosen})
                )
            },
        ),
        "release": st.fixed_dictionaries(
            {}, optional={"title": TEXTS | LOOKS | st.none(), "authors": st.lists(TEXTS | LOOKS)}
        ),
    },
)


@settings(max_examples=40, deadline=None)
@given(TREES)
@example({"release": {"title": "0E0"}})
@example(
    {
        "data": {"A": {"source": "file", "path": "a", "separator": "\x85a\u2028b\u202e"}},
        "release": {"authors": ["Ünal"]},
    }
)
def test_resolved_params_read_back_from_json_and_yaml_are_the_same(tree):
    params = validate(tree, origin="test")
    sections = params.sections()
    assert validate(json.loads(json.dumps(sections)), origin="test") == params
    assert validate(parse_yaml(dump_yaml(sections), origin="test"), origin="test").sections() == sections


@pytest.mark.parametrize("path", sorted(PARAMS_DIR.glob("*.yaml")), ids=lambda path: path.name)
def test_the_pack_s_params_files_are_valid_and_fit_their_schema(path):
    assert load(path).params
    jsonschema.Draft202012Validator(Params.model_json_schema()).validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "content", ["gian: {}", "windows: {seq_len: 1}", "models: {BASE: {source: web}}", "gain: {grid: []}"]
)
def test_the_schema_for_editors_refuses_what_the_pack_refuses(refusal, content):
    refusal(content)
    validator = jsonschema.Draft202012Validator(Params.model_json_schema())
    assert not validator.is_valid(yaml.safe_load(content))


def test_printed_params_and_schema_are_what_the_pack_reads(capsys):
    assert main(["params", "base.yaml"]) == Exit.DONE
    printed = yaml.safe_load(capsys.readouterr().out)
    assert validate(printed, origin="printed") == load("base.yaml").params
    assert main(["schema"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == Params.model_json_schema()


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("qwen2.5-7b.yaml", ["Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"]),
        ("llama-3.1-8b.yaml", ["meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"]),
    ],
)
def test_files_of_paper_scale_name_the_models_and_data_of_the_contract(name, models):
    params = load(name).params
    assert [source.id for source in params.models.values()] == models
    data = [(source.id, source.config, source.split) for source in (params.data.A, params.data.B, params.data.ARC_MCQ)]
    assert data == [
        ("Salesforce/wikitext", "wikitext-103-v1", "validation"),
        ("allenai/c4", "en", "validation"),
        ("allenai/ai2_arc", "ARC-Challenge", "test"),
    ]
    assert params.data.B.streaming
    defaults = Params()
    assert (params.windows, params.events, params.gain) == (defaults.windows, defaults.events, defaults.gain)
