"""S07: claims evaluated, both roles side by side, and the paper written from them. Reads artifacts only; no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from critnb.canon import CANON, ModelRole, Stage
from critnb.gates import Gate
from critnb.paper import Paper, PaperFacts, compose
from critnb.paper.claims import EvaluatedClaim, RoleEvidence, Sourced, evaluate, gather
from critnb.paper.facts import File
from critnb.paper.replication import Replication, replicate
from critnb.pipeline.session import StageSession
from critnb.report.provenance import Provenance
from critnb.report.schema import T07
from critnb.report.tables import load_table, table_path, write_table
from critnb.runs import pack_version
from critnb.runs.encoding import json_bytes, parquet_bytes
from critnb.runs.files import sha256_hex

_OUT = CANON.OUTPUT
_ENDS = (Stage.S05, Stage.S06B, Stage.S06ARC)
_PAPER = CANON.RUN_SUBDIR.PAPER


@dataclass(frozen=True, eq=False)
class Study:
    """What the paper rests on: the evidence of each role, the claims, and T07 or why there is none."""

    roles: Mapping[ModelRole, RoleEvidence]
    claims: Sequence[EvaluatedClaim]
    replication: Replication


def judge(stage: StageSession) -> Study:
    """Read the evidence of every role and evaluate the claims; nothing is written yet.

    Raises DependencyError and IntegrityError for a run or file that is missing, changed, or of another chain.
    """
    store = stage.store
    roles = {role: gather(role, {end: stage.upstream(end, role) for end in _ENDS}, store) for role in stage.roles}
    return Study(roles, evaluate(list(roles.values())), replicate(roles, _provenance(stage, roles)))


def _provenance(stage: StageSession, roles: Mapping[ModelRole, RoleEvidence]) -> Provenance:
    models = [str((each.runs[Stage.S03].record.model or {})["id"]) for each in roles.values()]
    return Provenance.of(stage.run, {"id": " + ".join(models)})


def write(stage: StageSession, study: Study) -> Paper:
    """Compose the paper, then write claims, T07, evidence and the paper's files.

    Raises PaperError, before anything is written, for templates or a bibliography that do not hold together.
    """
    with stage.step("compose"):
        paper = compose(_facts(stage, study))
    stage.save_json(_OUT.CLAIMS_JSON_BASENAME, _claims(study))
    if study.replication.table is not None:
        write_table(stage.run, T07.name, study.replication.table)
    stage.save_json(_OUT.EVIDENCE_JSON_BASENAME, paper.evidence)
    for section, text in paper.markdown.items():
        stage.run.write_bytes(f"{_PAPER}/{section}", text.encode())
    stage.run.write_bytes(f"{_PAPER}/{_OUT.PAPER_HTML_BASENAME}", paper.html.encode())
    stage.run.write_bytes(f"{_PAPER}/{_OUT.PAPER_PDF_BASENAME}", paper.pdf)
    stage.summary(
        claims={str(each.id): str(each.verdict) for each in study.claims},
        replication="available" if study.replication.table is not None else study.replication.reason,
        values_traced=paper.n_values,
        citations=paper.n_citations,
        figures=paper.n_pictures,
    )
    return paper


def _claims(study: Study) -> list[dict[str, object]]:
    return [each.as_dict() for each in study.claims]


def _facts(stage: StageSession, study: Study) -> PaperFacts:
    """Return the facts, with the digests that claims.json and T07 will have once they are written."""
    release, claims = stage.params.release, _claims(study)
    path = f"{CANON.RUN_SUBDIR.RESULTS}/{_OUT.CLAIMS_JSON_BASENAME}"
    return PaperFacts(
        title=release.title or CANON.PROJECT.TITLE,
        authors=tuple(release.authors),
        version=pack_version(),
        roles=tuple(study.roles.values()),
        claims=study.claims,
        claims_file=File(_OUT.CLAIMS_JSON_BASENAME, stage.run.run_id, path, sha256_hex(json_bytes(claims)), claims),
        replication=_replicated(stage, study.replication.table),
        replication_reason=study.replication.reason,
    )


def _replicated(stage: StageSession, table: pd.DataFrame | None) -> Sourced | None:
    if table is None:
        return None
    path = table_path(T07, ".parquet")
    return Sourced(T07.name, table, T07.key, stage.run.run_id, path, sha256_hex(parquet_bytes(table)))


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S07 from what it has written."""
    own = stage.own
    paired = load_table(own, T07.name) if table_path(T07, ".parquet") in own.artifacts else None
    claims = own.json(own.result(_OUT.CLAIMS_JSON_BASENAME))
    return study_gates(claims, paired=paired, reason=str(own.record.metrics["replication"]))


def study_gates(claims: Sequence[Mapping[str, Any]], *, paired: pd.DataFrame | None, reason: str) -> list[Gate]:
    """Return the gates of S07: every claim of claims.json names rows, and both roles stand side by side in T07.

    ``reason`` says why there is no T07. Templates that do not hold together end the stage before it writes; no gate is
    left to say so.
    """
    missing = [each["claim"] for each in claims if not all(judged["rows"] for judged in each["roles"].values())]
    return [
        Gate.judge(
            "claims with rows",
            passed=not missing,
            value=f"{len(claims) - len(missing)} of {len(claims)}",
            condition="each claim names the rows that decided, in every role",
            reason=f"none for {', '.join(missing)}" if missing else "",
        ),
        Gate.judge(
            "both roles side by side",
            passed=paired is not None or None,
            value=f"{len(paired)} rows" if paired is not None else None,
            condition="BASE and INSTRUCT have run on the same windows",
            reason=reason if paired is None else "",
        ),
    ]
