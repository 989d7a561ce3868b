"""What the notebook of S07 shows of a study."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from paper.made_study import evidence_of

from critnb.canon import Claim, ModelRole, Stage
from critnb.gates import Gate, Verdict
from critnb.paper.claims import evaluate
from critnb.paper.replication import replicate
from critnb.report.provenance import Provenance
from critnb.runs import RunStore
from critnb.stages.s07_paper import views
from critnb.stages.s07_paper.work import Study, study_gates

PROVENANCE = Provenance(
    run_id="RUN_S07_0123456789ab", stage_id=Stage.S07, model_id="a + b", config_hash="0", code_version="0.1.0"
)


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> dict[int, Study]:
    store = RunStore(tmp_path_factory.mktemp("study") / "runs")
    roles = {role: evidence_of(store, role) for role in ModelRole}
    one = {ModelRole.BASE: roles[ModelRole.BASE]}
    return {len(some): Study(some, evaluate(list(some.values())), replicate(some, PROVENANCE)) for some in (one, roles)}


def test_stars_of_g_star_do_not_turn_into_emphasis(studies):
    text = views.rules(studies[1])
    assert "g\\*" in text
    assert text.replace("\\*", "").count("*") == 0


def test_evidence_shows_each_file_that_a_claim_rests_on(studies):
    shown = views.evidence(studies[2])
    assert set(shown["claim"]) == {claim.partition("_")[0] for claim in Claim}
    for claimed in studies[2].claims:
        for role, judged in claimed.by_role.items():
            ours = shown[(shown["claim"] == claimed.id.partition("_")[0]) & (shown["role"] == role)]
            assert set(ours["sha256"]) == {row.sha256[:12] for row in judged.rows}


def test_a_cell_without_a_number_is_told_in_words(studies):
    (claimed, *_), study = studies[1].claims, studies[1]
    of_role = {
        role: replace(judged, rows=tuple(replace(row, values={"value": None, "g": 1.0}) for row in judged.rows))
        for role, judged in claimed.by_role.items()
    }
    shown = views.evidence(replace(study, claims=(replace(claimed, by_role=of_role),)))
    assert shown["cells"].str.endswith("value not available, g 1").all()


def test_t07_is_shown_or_its_absence_explained(studies):
    assert "only BASE has run" in views.replication(studies[1]).data
    shown = re.sub("<[^>]+>", "", views.replication(studies[2]).data)
    row = studies[2].replication.table.iloc[0]
    assert f"{row['delta_b_tot_at_gstar_base']:.3f} [{row['opt_delta_b_tot_at_gstar_base_ci_low']:.3f}" in shown


def judged(study: Study) -> list[Gate]:
    """The gates of a study, from its claims as claims.json has them."""
    return study_gates(
        [each.as_dict() for each in study.claims], paired=study.replication.table, reason=study.replication.reason
    )


def test_with_one_role_pairing_is_not_available_and_all_else_passes(studies):
    rows, paired = judged(studies[1])
    assert rows.passed
    assert paired.verdict is Verdict.NOT_AVAILABLE
    assert "INSTRUCT is missing" in paired.reason
    assert all(gate.passed for gate in judged(studies[2]))


def test_a_claim_that_names_no_row_fails_its_gate_by_name(studies):
    first, *others = studies[1].claims
    bare = replace(first, by_role={role: replace(each, rows=()) for role, each in first.by_role.items()})
    rows, _ = judged(replace(studies[1], claims=[bare, *others]))
    assert rows.verdict is Verdict.FAIL
    assert first.id in rows.reason
