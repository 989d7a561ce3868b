"""Where documents and models come from, and that what they are is told by their content alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from critnb import data
from critnb.canon import PACK_ROOT, DatasetRole, Exit, ModelRole
from critnb.errors import CritnbError, DataError, DependencyError, ParamsError
from critnb.params import Loaded, validate

TEXTS = ["the first document", "zweites: äöü", "3"]


def loaded(base: Path, **sections) -> Loaded:
    return Loaded(validate(sections, origin="test"), "test", base)


def with_corpus(base: Path, path: str, **options) -> Loaded:
    return loaded(base, data={"A": {"source": "file", "path": path, **options}})


def read(base: Path, path: str, **options) -> list[str]:
    return list(data.documents(with_corpus(base, path, **options), DatasetRole.A))


def content(base: Path, path: str, **options) -> str:
    return data.corpus(with_corpus(base, path, **options), DatasetRole.A).content_sha256


@pytest.fixture
def corpora(tmp_path) -> Path:
    """The same three documents in each format."""
    (tmp_path / "c.txt").write_text("\n---\n".join(TEXTS), encoding="utf-8")
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": text, "n": 1}) + "\n\n" for text in TEXTS))
    pd.DataFrame({"n": [0, 1, 2], "text": TEXTS}).to_parquet(tmp_path / "c.parquet")
    return tmp_path


def test_every_format_gives_the_same_documents_and_so_the_same_identity(corpora):
    assert (
        read(corpora, "c.txt", separator="\n---\n") == read(corpora, "c.jsonl") == read(corpora, "c.parquet") == TEXTS
    )
    hashes = {
        content(corpora, "c.txt", separator="\n---\n"),
        content(corpora, "c.jsonl"),
        content(corpora, "c.parquet"),
    }
    assert len(hashes) == 1


def test_without_a_separator_a_text_file_is_one_document(corpora):
    assert read(corpora, "c.txt") == ["\n---\n".join(TEXTS)]


def test_other_boundaries_between_the_same_text_are_another_corpus(tmp_path):
    for name, lines in (("a", ["ab", "c"]), ("b", ["a", "bc"])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    assert content(tmp_path, "a.jsonl") != content(tmp_path, "b.jsonl")


def test_empty_documents_are_left_out_of_every_format(tmp_path):
    (tmp_path / "c.txt").write_text("a||b|")
    (tmp_path / "c.jsonl").write_text('{"text": "a"}\n{"text": ""}\n{"text": "b"}\n')
    pd.DataFrame({"text": ["a", "", None, "b"]}).to_parquet(tmp_path / "c.parquet")
    assert (
        read(tmp_path, "c.txt", separator="|") == read(tmp_path, "c.jsonl") == read(tmp_path, "c.parquet") == ["a", "b"]
    )


def test_another_field(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"body": "b", "text": "t"}\n')
    assert read(tmp_path, "c.jsonl", field="body") == ["b"]


def test_globs_take_files_in_order_of_name_and_may_mix_formats(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "b.txt").write_text("two")
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n')
    (tmp_path / "deep" / "er" / "c.txt").write_text("three")
    assert read(tmp_path, "*.*") == ["one", "two"]
    assert read(tmp_path, "**/*.txt") == ["two", "three"]
    assert read(tmp_path / "deep", "../*.txt") == ["two"]
    assert read(Path("/"), f"{tmp_path}/*.txt") == ["two"]


def test_brackets_in_a_name_are_no_pattern_where_such_a_file_exists(tmp_path):
    folder = tmp_path / "my [old] corpus"
    folder.mkdir()
    (folder / "a[1].txt").write_text("bracketed")
    assert read(folder, "a[1].txt") == read(folder, "*.txt") == ["bracketed"]


BAD_CORPORA = [
    ("none.txt", None, DependencyError, "no file matches"),
    ("empty.txt", b"", DataError, "holds no text"),
    ("blank.txt", b" \n\n ", DataError, "holds no text"),
    ("empty.jsonl", b"", DataError, "holds no text"),
    ("latin.txt", "caf\xe9".encode("latin-1"), DataError, "not UTF-8 (byte 3)"),
    ("utf16.jsonl", '{"text": "a"}'.encode("utf-16"), DataError, "is UTF-16, not UTF-8 (byte 0)"),
    ("broken.jsonl", b'{"text": "a"}\n{"text": \n', DataError, "line 2: not JSON"),
    ("list.jsonl", b'["a"]\n', DataError, "line 1: a list, no record of fields"),
    ("other.jsonl", b'{"body": "a"}\n', DataError, "line 1: no field 'text'; there is 'body'"),
    ("number.jsonl", b'{"text": 3}\n', DataError, "line 1: no text in field 'text' but a number"),
    ("surrogate.jsonl", b'{"text": "a\\ud800"}\n', DataError, "half of a surrogate pair at character 1"),
    ("not.parquet", b"PAR1 nonsense", DataError, "cannot be read as Parquet"),
    ("image.png", b"x", DataError, "is a .png; use .txt, .jsonl or .parquet"),
    ("noend", b"x", DataError, "is a file without suffix"),
]


@pytest.mark.parametrize(("name", "data", "error", "message"), BAD_CORPORA, ids=[row[0] for row in BAD_CORPORA])
def test_a_corpus_that_cannot_be_used_is_refused_in_one_line(tmp_path, name, data, error, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error) as caught:
        content(tmp_path, name)
    assert str(caught.value).startswith("data.A")
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("frame", [{"body": ["a"]}, {"text": [1, 2]}])
def test_a_parquet_column_that_is_missing_or_no_text(tmp_path, frame):
    pd.DataFrame(frame).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"data\.A: .*c\.parquet.* 'text'"):
        content(tmp_path, "c.parquet")


def test_a_folder_is_no_corpus(tmp_path):
    with pytest.raises(DependencyError, match=r"is a folder, not a file; name files in it, such as .*/\*\.txt$"):
        content(tmp_path.parent, tmp_path.name)


def test_the_embedded_corpora_are_two_texts_and_say_which_python_they_are_of():
    embedded = loaded(Path("/"))
    first, second = (data.corpus(embedded, role) for role in (DatasetRole.A, DatasetRole.B))
    assert first.content_sha256 != second.content_sha256
    assert first.revision == "python-{}.{}.{}".format(*sys.version_info)
    assert first == data.corpus(embedded, DatasetRole.A)


@pytest.fixture
def model(tmp_path) -> Path:
    """A directory in the hub's layout; its fingerprint needs no weights that load."""
    directory = tmp_path / "model"
    directory.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "README.md"):
        (directory / name).write_text(json.dumps({"what": name}))
    save_file({"w": np.arange(8.0)}, directory / "model.safetensors")
    return directory


def fingerprint(directory: Path) -> data.ModelFiles:
    params = loaded(directory.parent, models={"BASE": {"source": "file", "path": directory.name}})
    return data.model_files(params, ModelRole.BASE)


def test_a_model_s_identity_is_its_content(model, tmp_path):
    elsewhere = shutil.copytree(model, tmp_path / "deep" / "other name")
    (elsewhere / "README.md").write_text("other words")
    assert fingerprint(elsewhere).identity() == fingerprint(model).identity()
    assert fingerprint(elsewhere).id == "other name"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.safetensors", "weights_sha256"),
        ("config.json", "config_sha256"),
        ("tokenizer.json", "tokenizer_sha256"),
        ("tokenizer_config.json", "tokenizer_sha256"),
    ],
)
def test_one_flipped_bit_changes_the_part_that_it_is_in_and_no_other(model, name, part):
    before = fingerprint(model).identity()
    data = bytearray((model / name).read_bytes())
    # in the last letter of the JSON, or in the last number of the weights
    data[-4] ^= 1
    (model / name).write_bytes(data)
    after = fingerprint(model).identity()
    assert {key for key in before if before[key] != after[key]} == {part}


def test_what_is_not_loaded_does_not_count(model):
    before = fingerprint(model).identity()
    save_file({"w": np.ones(8)}, model / "consolidated.safetensors")
    (model / "generation_config.json").write_text("{}")
    assert fingerprint(model).identity() == before


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (["model.safetensors"], r"holds no \*\.safetensors weights \(other formats are not loaded\)"),
        (["config.json"], r"holds no config\.json"),
        (["tokenizer.json", "tokenizer_config.json"], r"holds no tokenizer\.json"),
    ],
)
def test_a_model_directory_that_lacks_something_says_what(model, gone, message):
    for name in gone:
        (model / name).unlink()
    (model / "pytorch_model.bin").write_bytes(b"never loaded")
    with pytest.raises(DependencyError, match=message) as caught:
        fingerprint(model)
    assert str(caught.value).startswith(f"models.BASE: {model}")
    assert str(caught.value).count("\n") <= 1


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(DependencyError, match=rf"models\.BASE\.path: no directory {tmp_path}/gone"):
        fingerprint(tmp_path / "gone")


def test_a_role_that_the_params_do_not_give(model):
    params = loaded(model.parent, models={"BASE": {"source": "file", "path": "model"}})
    with pytest.raises(ParamsError, match=r"models\.INSTRUCT is not given \(there is BASE\)"):
        data.model_files(params, ModelRole.INSTRUCT)


@pytest.mark.parametrize("role", list(ModelRole))
def test_the_embedded_models_are_there_and_differ(role):
    found = data.model_files(loaded(Path("/")), role)
    assert found.directory.is_dir()
    assert len({found.weights_sha256, found.tokenizer_sha256, found.config_sha256}) == 3


HUB = {"models": {"BASE": {"source": "hub", "id": "someone/some-model"}}}


def offline(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a hub cache of its own and no network."""
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PACK_ROOT)}
    environment.pop("HF_HUB_CACHE", None)
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)


LOCATE = f"""
from pathlib import Path
from critnb import data
from critnb.canon import ModelRole
from critnb.params import Loaded, validate
found = data.model_files(Loaded(validate({HUB!r}, origin="test"), "test", Path("/")), ModelRole.BASE)
print(found.id, found.revision, found.weights_sha256)
"""


def test_a_model_in_the_hub_s_cache_is_found_without_a_network(model, tmp_path):
    revision = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "home" / "hub" / "models--someone--some-model"
    shutil.copytree(model, cached / "snapshots" / revision)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(revision)
    done = offline(tmp_path / "home", LOCATE)
    assert done.stdout.split() == ["someone/some-model", revision, fingerprint(model).weights_sha256], done.stderr


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty cache"))


def refused(call) -> list[str]:
    with pytest.raises(CritnbError) as caught:
        call()
    assert caught.value.exit_code is Exit.MISSING_DEPENDENCY
    return str(caught.value).splitlines()


@pytest.mark.parametrize("revision", [None, "v1.0"])
def test_a_hub_model_that_cannot_be_had(no_network, revision):
    source = {**HUB["models"]["BASE"], "revision": revision}
    lines = refused(lambda: data.model_files(loaded(Path("/"), models={"BASE": source}), ModelRole.BASE))
    assert len(lines) == 2
    assert lines[0].startswith("models.BASE: hub model someone/some-model")
    assert ("at revision v1.0" in lines[0]) == (revision is not None)
    assert "models.BASE: {source: file, path: DIRECTORY}" in lines[1]


def test_a_hub_data_set_that_cannot_be_had(no_network):
    source = {"source": "hub", "id": "someone/some-text", "config": "en", "field": "body"}
    lines = refused(lambda: data.corpus(loaded(Path("/"), data={"A": source}), DatasetRole.A))
    assert len(lines) == 2
    assert lines[0].startswith("data.A: hub data set someone/some-text en (validation) cannot be had")
    assert "data.A: {source: file, path: FILE, field: body}" in lines[1]


def test_a_pinned_hub_data_set_has_its_identity_without_a_look(no_network):
    pinned = {"source": "hub", "id": "someone/some-text", "revision": "abc"}
    corpus = data.corpus(loaded(Path("/"), data={"A": pinned}), DatasetRole.A)
    other = data.corpus(loaded(Path("/"), data={"A": {**pinned, "revision": "abd"}}), DatasetRole.A)
    assert (corpus.source, corpus.revision) == ("hub:someone/some-text", "abc")
    assert corpus.content_sha256 != other.content_sha256
