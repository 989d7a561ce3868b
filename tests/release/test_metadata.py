"""Citation file, Zenodo metadata and RO-Crate, held against what their specifications demand."""

from __future__ import annotations

import hashlib
import json
import tomllib
import zipfile
from typing import Any

import pytest
import yaml

from critnb import __version__
from critnb.canon import PACK_ROOT
from critnb.params import Release
from critnb.release.metadata import Metadata, citation_cff, zenodo_json


def test_the_pack_s_citation_file_is_what_a_release_would_say():
    assert (PACK_ROOT / "CITATION.cff").read_bytes() == citation_cff(Metadata.of(Release()))


def test_a_citation_has_what_its_format_requires():
    about = Metadata.of(Release(title="A title: with a colon", authors=["Noether, Emmy", "The Group"]))
    content = yaml.safe_load(citation_cff(about))
    # required by the schema of CFF 1.2.0: authors, cff-version, message, title
    assert content["cff-version"] == "1.2.0"
    assert content["message"]
    assert content["title"] == "A title: with a colon"
    assert content["version"] == __version__
    assert content["authors"] == [{"family-names": "Noether", "given-names": "Emmy"}, {"name": "The Group"}]
    assert content["license"] == "Apache-2.0"  # one of the SPDX identifiers that the format lists


def test_zenodo_is_told_the_same():
    about = Metadata.of(Release(title="T", authors=["Noether, Emmy"]))
    content = json.loads(zenodo_json(about, "2026-01-02"))
    assert content["upload_type"] == "software"
    assert content["publication_date"] == "2026-01-02"
    assert content["creators"] == [{"name": "Noether, Emmy"}]
    assert (content["title"], content["version"]) == ("T", __version__)


def test_the_licence_is_the_apache_licence_wherever_one_is_named(nodes, zip_file):
    # the text at https://www.apache.org/licenses/LICENSE-2.0.txt
    licence = (PACK_ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(licence).hexdigest() == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    project = tomllib.loads((PACK_ROOT / "pyproject.toml").read_text())["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE", "NOTICE"])
    assert yaml.safe_load((PACK_ROOT / "CITATION.cff").read_text())["license"] == "Apache-2.0"
    assert nodes["./"]["license"] == {"@id": "https://spdx.org/licenses/Apache-2.0"}
    assert nodes["https://spdx.org/licenses/Apache-2.0"]["name"] == "Apache-2.0"
    with zipfile.ZipFile(zip_file) as archive:
        assert archive.read("LICENSE") == licence
        assert archive.read("NOTICE") == (PACK_ROOT / "NOTICE").read_bytes()
        assert yaml.safe_load(archive.read("CITATION.cff"))["license"] == "Apache-2.0"
        # the identifier in Zenodo's own list of licences, https://zenodo.org/api/vocabularies/licenses
        assert json.loads(archive.read(".zenodo.json"))["license"] == "apache-2.0"
    assert "Apache-2.0" in (PACK_ROOT / "README.md").read_text()


@pytest.mark.parametrize("role", ["base", "instruct"])
def test_what_the_embedded_models_were_trained_on_is_named_with_its_licence(role):
    card = (PACK_ROOT / "critnb" / "data" / "embedded" / "weights" / role / "README.md").read_text()
    for text in (card, (PACK_ROOT / "NOTICE").read_text()):
        assert "CPython 3.11.7" in text
        assert "PSF License Agreement" in text


def test_without_authors_nobody_is_invented():
    assert Metadata.of(Release()).authors == ("The critnb authors",)


@pytest.fixture(scope="module")
def crate(zip_file) -> dict[str, Any]:
    with zipfile.ZipFile(zip_file) as archive:
        return json.loads(archive.read("ro-crate-metadata.json"))


@pytest.fixture(scope="module")
def nodes(crate) -> dict[str, dict[str, Any]]:
    return {node["@id"]: node for node in crate["@graph"]}


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [value["@id"]] if set(value) == {"@id"} else [r for item in value.values() for r in references(item)]
    return [r for item in value for r in references(item)] if isinstance(value, list) else []


def kinds(node: dict[str, Any]) -> set[str]:
    return {node["@type"]} if isinstance(node["@type"], str) else set(node["@type"])


def test_every_entity_is_there_once_and_every_reference_leads_to_one(crate, nodes):
    assert len(nodes) == len(crate["@graph"])
    outside = {name for node in nodes.values() for name in references(node) if name not in nodes}
    assert outside == {"https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus"}


def test_the_root_is_what_ro_crate_1_1_and_the_profiles_demand(nodes):
    assert nodes["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    root = nodes["./"]
    assert {"name", "description", "datePublished", "license"} <= set(root)
    assert {each["@id"] for each in root["conformsTo"]} == {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    workflow = nodes[root["mainEntity"]["@id"]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= kinds(workflow)
    assert kinds(nodes[workflow["programmingLanguage"]["@id"]]) == {"ComputerLanguage"}


def test_the_workflow_and_each_run_are_actions_that_the_root_mentions(nodes, folder):
    actions = {name: node for name, node in nodes.items() if "CreateAction" in kinds(node)}
    assert {each["@id"] for each in nodes["./"]["mentions"]} == set(actions)
    assert len(actions) == 1 + 21
    assert actions["#whole"]["instrument"] == nodes["./"]["mainEntity"]
    for node in actions.values():
        assert {"instrument", "object", "result", "startTime", "endTime"} <= set(node)
        assert "agent" not in node
        assert "SoftwareSourceCode" in kinds(nodes[node["instrument"]["@id"]])


def test_every_file_of_the_zip_is_described_and_reached_from_the_root(nodes, zip_file):
    with zipfile.ZipFile(zip_file) as archive:
        inside = set(archive.namelist()) - {"MANIFEST.sha256", "ro-crate-metadata.json"}
    assert {name for name, node in nodes.items() if "File" in kinds(node)} == inside
    reached, waiting = set(), ["./"]
    while waiting:
        node = nodes[waiting.pop()]
        reached.add(node["@id"])
        waiting += [each["@id"] for each in node.get("hasPart", [])]
    assert inside <= reached
