"""What templates can ask for: the evidence of each role, the claims, and T07, as cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critnb.canon import CANON, Criterion, CriterionKind, DatasetRole, ModelRole, Stage
from critnb.contract import spec_of
from critnb.errors import PaperError
from critnb.lattice import RASTER_NULLS
from critnb.paper.cells import Cell, Kind, Origin, bare
from critnb.paper.claims import EvaluatedClaim, RoleEvidence, RoleVerdict, Row, Sourced
from critnb.paper.claims.evidence import plain
from critnb.report.schema.nulls import NullColumns, null_columns
from critnb.runs import Run

_GSTAR = "gstar"
_FOLDS = {"smallest": "min", "largest": "max"}
_TABLES = {name.partition("_")[0]: getattr(CANON.TABLE, name) for name in type(CANON.TABLE).model_fields}


@dataclass(frozen=True)
class File:
    """A JSON file of a run."""

    name: str
    run_id: str
    artifact: str
    sha256: str
    content: Any

    def field(self, dotted: str) -> Cell:
        """Return the field at a dotted path; raises PaperError where there is none."""
        node = self.content
        for part in dotted.split("."):
            try:
                node = node[int(part)] if isinstance(node, list) else node[part]
            except (KeyError, IndexError, TypeError, ValueError):
                raise PaperError(f"{self.run_id} {self.artifact} has no field {dotted}") from None
        return Cell(node, Origin(Kind.FIELD, self.name, dotted, {}, "", self.run_id, self.artifact, self.sha256))


class RowView:
    """A row of a table whose columns are attributes."""

    def __init__(self, table: Sourced, place: Any) -> None:
        self._table, self._place = table, place
        self._key = table.cells(place, table.key)

    def __getattr__(self, column: str) -> Cell:
        if column.startswith("_") or column not in self._table.frame.columns:
            raise AttributeError(f"{self._table.table} has no column {column}")
        return Cell(
            self._table.cells(self._place, [column])[column], _origin(self._table, Kind.CELL, column, self._key)
        )

    def at(self, column: str) -> Cell:
        """Return the cell of a column that is named in a variable; raises AttributeError."""
        return self.__getattr__(column)


def _origin(table: Sourced, kind: Kind, column: str, at: Mapping[str, Any], fold: str = "") -> Origin:
    return Origin(kind, table.table, column, at, fold, table.run_id, table.artifact, table.sha256)


class TableView:
    """Rows of a table and what they fold to; ``where`` takes columns as names. ``source`` is the table with its file."""

    def __init__(self, table: Sourced) -> None:
        self.source = table

    def rows(self, **where: Any) -> list[RowView]:
        """Return the rows where all columns have those values."""
        return [RowView(self.source, place) for place in self.source.frame.index[self._matching(where)]]

    def row(self, **where: Any) -> RowView:
        """Return the one row where all columns have those values; raises PaperError where there is another number."""
        found = self.rows(**where)
        if len(found) != 1:
            raise PaperError(f"{self.source.table} has {len(found)} rows where {_plain(where)}, one is meant")
        return found[0]

    def distinct(self, *columns: str, **where: Any) -> list[RowView]:
        """Return, of those rows, the first with each combination of values of the columns."""
        chosen = self.source.frame[[*columns]][self._matching(where)]
        return [RowView(self.source, place) for place in chosen.drop_duplicates().index]

    def said(self, column: str, **where: Any) -> list[Cell]:
        """Return the different words of a column among those rows; none where the table has no such column."""
        return [cell for row in self.distinct(column, **where) if (cell := row.at(column))] if self.has(column) else []

    def has(self, column: str) -> bool:
        """Tell whether the table has an optional column."""
        return column in self.source.frame.columns

    def count(self, **where: Any) -> Cell:
        """Return how many rows have those values."""
        return Cell(
            int(self._matching(where).sum()),
            _origin(self.source, Kind.FOLD, self.source.key[0], _plain(where), "count"),
        )

    def smallest(self, column: str, **where: Any) -> Cell:
        """Return the smallest value of a column among those rows."""
        return self._fold("smallest", column, where)

    def largest(self, column: str, **where: Any) -> Cell:
        """Return the largest value of a column among those rows."""
        return self._fold("largest", column, where)

    def _fold(self, fold: str, column: str, where: Mapping[str, Any]) -> Cell:
        value = self.source.frame[column][self._matching(where)].agg(_FOLDS[fold])
        return Cell(plain(value), _origin(self.source, Kind.FOLD, column, _plain(where), fold))

    def _matching(self, where: Mapping[str, Any]) -> NDArray[np.bool_]:
        return self.source.matching(_plain(where))


def _plain(where: Mapping[str, Any]) -> dict[str, Any]:
    return {name: bare(value) for name, value in where.items()}


class RoleView:
    """One model role: its tables as attributes (T01 and on) and ``gstar``, its runs' records, its verdicts, and its name."""

    def __init__(self, evidence: RoleEvidence, claims: Mapping[str, ClaimView]) -> None:
        self.name = str(evidence.role)
        self._evidence, self._claims = evidence, claims
        tables = {short: evidence.tables[name] for short, name in _TABLES.items() if name in evidence.tables}
        self._tables = {**tables, _GSTAR: evidence.choices}

    def __getattr__(self, name: str) -> TableView:
        if name.startswith("_") or name not in self._tables:
            raise AttributeError(f"role {self.name} has no table {name}")
        return TableView(self._tables[name])

    def claim(self, short: str) -> RoleVerdictView:
        """Return what came of a claim (``C1``) in this role."""
        return self._claims[short].of(self.name)

    def record(self, stage: str, dotted: str) -> Cell:
        """Return a field of the record of the role's run of a stage."""
        return record_file(self._evidence.runs[Stage(stage)]).field(dotted)

    def sources(self) -> list[Sourced]:
        """Return the tables with their files."""
        return [table for _, table in sorted(self._tables.items())]

    def runs(self) -> list[dict[str, str]]:
        """Return the runs that the role's numbers rest on, in the order of their stages."""
        return [
            {"id": run.run_id, "asks": spec_of(run.stage).asks, "stage_hash": str(run.record.stage_hash)}
            for run in self._evidence.runs.values()
        ]


def record_file(run: Run) -> File:
    """Return a run's record as a file that fields can be shown from.

    Its digest is the stage hash: the record itself holds times, and a paper made again from runs that were made again
    has the same bytes.
    """
    name = CANON.OUTPUT.RUN_RECORD_JSON
    return File(name, run.run_id, name, str(run.record.stage_hash), run.record.to_dict())


@dataclass(frozen=True)
class ShownNull:
    """A null of rasters: its name, what it leaves of a raster, in words, and its columns beside b_tot."""

    name: str
    breaks: str
    columns: NullColumns


class RoleVerdictView:
    """A claim in one role: its verdict in words; reason and numbers are fields of claims.json."""

    def __init__(self, role: str, judged: RoleVerdict, file: File, place: str) -> None:
        self.name, self.verdict = role, str(judged.verdict)
        self._judged, self._file, self._place = judged, file, place

    @property
    def reason(self) -> Cell:
        """Why the verdict is what it is."""
        return self._file.field(f"{self._place}.reason")

    def number(self, name: str) -> Cell:
        """Return a number that the rule went by; raises PaperError where the claim has none of that name."""
        return self._file.field(f"{self._place}.numbers.{name}")

    @property
    def sources(self) -> list[Row]:
        """One row of each file that the verdict rests on."""
        return list({(row.run_id, row.artifact): row for row in self._judged.rows}.values())


class ClaimView:
    """One claim: what it says, its verdict over all roles, and what came of it in each."""

    def __init__(self, claimed: EvaluatedClaim, file: File, place: int) -> None:
        self._claimed, self._file, self._place = claimed, file, place
        self.id = str(claimed.id).partition("_")[0]
        self.statement, self.verdict = claimed.statement, str(claimed.verdict)

    @property
    def roles(self) -> list[RoleVerdictView]:
        """The claim in each role."""
        return [self.of(role) for role in self._claimed.by_role]

    def of(self, role: str) -> RoleVerdictView:
        """Return the claim in one role."""
        judged = self._claimed.by_role[ModelRole(role)]
        return RoleVerdictView(str(role), judged, self._file, f"{self._place}.roles.{role}")

    def rule_cell(self) -> Cell:
        """Return the rule as it stands in claims.json."""
        return self._file.field(f"{self._place}.rule")


@dataclass(frozen=True, eq=False)
class PaperFacts:
    """Everything that a template may print or ask.

    ``replication`` is T07, or None with ``replication_reason``. ``claims_file`` is claims.json of the paper's own run.
    """

    title: str
    authors: Sequence[str]
    version: str
    roles: Sequence[RoleEvidence]
    claims: Sequence[EvaluatedClaim]
    claims_file: File
    replication: Sourced | None
    replication_reason: str

    def names(self) -> dict[str, Any]:
        """Return the variables of the templates."""
        claims = [ClaimView(each, self.claims_file, place) for place, each in enumerate(self.claims)]
        by_id = {view.id: view for view in claims}
        views = [RoleView(each, by_id) for each in self.roles]
        return {
            "authors": list(self.authors),
            "version": self.version,
            "roles": views,
            "first": views[0],
            "both": len(views) > 1,
            "claims": claims,
            "claim": by_id,
            "claims_file": self.claims_file,
            "T07": TableView(self.replication) if self.replication else None,
            "replication_reason": self.replication_reason,
            "same_text": all(_same_text(each) for each in self.roles),
            "signatures": _of_kind(CriterionKind.SIGNATURE),
            "descriptions": _of_kind(CriterionKind.DESCRIPTION),
            "falsifiers": _of_kind(CriterionKind.FALSIFIER),
            "nulls": [ShownNull(each.name, each.breaks, null_columns(id_)) for id_, each in RASTER_NULLS.items()],
            "anchors": {name: short for short, name in _TABLES.items()},
        }


def _of_kind(kind: CriterionKind) -> list[str]:
    return [str(each) for each in Criterion if each.kind is kind]


def _same_text(evidence: RoleEvidence) -> bool:
    """Tell whether dataset B holds just the text of dataset A."""
    texts = [
        evidence.runs[stage].inputs.sections.get("data", {}).get(dataset)
        for stage, dataset in ((Stage.S02, DatasetRole.A), (Stage.S06B, DatasetRole.B))
    ]
    return texts[0] is not None and texts[0] == texts[1]
