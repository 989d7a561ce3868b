"""The command ``verify``: of runs, or of a release; what it prints, and its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from critnb.canon import Exit
from critnb.errors import DependencyError
from critnb.paths import absolute
from critnb.terminal import err, out, plain

_LONGEST = 600

if TYPE_CHECKING:
    from critnb.release.finding import Check
    from critnb.runs import RunStore


def verify_runs(store: RunStore, names: Sequence[str]) -> int:
    """Hash every file of the named runs again, of all complete runs if none is named; raises as ``runs.verify``.

    A run is named by its id in the folder, or by its path. Raises DependencyError where there is no run to verify.
    """
    from critnb.runs import RunState, located, verify

    wanted = names or [each.run_id for each in store.entries() if each.state is RunState.complete]
    if not wanted:
        raise DependencyError(f"{store.root} holds no complete run to verify; name another folder with --runs-dir")
    bad = 0
    for name in wanted:
        folder, run_id = located(name, store)
        findings = verify(folder.path(run_id))
        bad += bool(findings)
        out(f"{name}  {'ok' if not findings else f'{len(findings)} findings'}")
        for finding in findings:
            out(f"  {plain(finding, _LONGEST)}")
    if bad:
        err(f"error: {bad} of {len(wanted)} runs are not what their records say")
        return int(Exit.BAD_INPUT)
    return int(Exit.DONE)


def verify_release(path: Path, *, recompute: bool) -> int:
    """Check a release's zip from scratch, a line a check; raises as ``release.verify.verify_release``."""
    from critnb.release.replay import NOT_REPLAYED
    from critnb.release.verify import verify_release

    absolute(path, what="--release", any_bytes=True, unreachable=DependencyError)
    checks: list[Check] = []

    def show(check: Check) -> None:
        checks.append(check)
        _print(check)

    findings = verify_release(path, show, recompute=recompute)
    out(f"not computed again: {NOT_REPLAYED if recompute else 'anything'}")
    if not findings:
        out(f"ok: {path}")
        return int(Exit.DONE)
    err(f"error: {path} is not a sound release: {len(findings)} findings")
    if any(check.result.aside for check in checks):
        err("they may be the doing of this pack, which is not the zip's; unpack it and check it with its own")
    return int(Exit.BAD_INPUT)


def _print(check: Check) -> None:
    verdict = "FAIL" if not check.passed else "note" if check.result.aside else "ok  "
    said = check.result.said if check.passed else f"{len(check.result.findings)} findings"
    out(f"{verdict}  {check.name:<10}  {check.seconds:5.1f} s  {plain(said, _LONGEST)}")
    for finding in check.result.findings:
        out(f"  {plain(finding, _LONGEST)}")
