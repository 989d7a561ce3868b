"""The command ``verify``, of runs or of a release: what it prints and its exit code."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.canon import Exit
from critnb.errors import DependencyError
from critnb.system.paths import absolute, readable_file
from critnb.system.terminal import err, out, out_json, plain

# characters of a finding, and findings of a check, that are shown
_LONGEST, _MOST = 600, 500

if TYPE_CHECKING:
    from critnb.runs import RunStore
    from critnb.verify.check import Check


def verify_runs(store: RunStore, names: Sequence[str], *, as_json: bool = False) -> int:
    """Hash every file of the named runs again, of all complete runs if none is named; raises as ``runs.verify``.

    A run is named by its id in the folder, or by its path. Raises DependencyError where there is no run to verify.
    """
    from critnb.runs import FindingKind, RunState, locate_run, verify

    wanted = names or [each.run_id for each in store.entries() if each.state is RunState.complete]
    if not wanted:
        raise DependencyError(f"{store.root} holds no complete run to verify; name another folder with --runs-dir")
    bad = unread = 0
    tree: list[dict[str, Any]] = []
    for name in wanted:
        folder, run_id = locate_run(name, store)
        findings = verify(folder.path(run_id))
        missed = [finding for finding in findings if finding.kind is FindingKind.unread]
        unread += bool(missed)
        bad += len(missed) < len(findings)
        told = [{"kind": str(each.kind), "path": each.path, "message": each.message} for each in findings]
        tree.append({"run_id": run_id, "path": str(folder.path(run_id)), "ok": not findings, "findings": told})
        if not as_json:
            out(f"{name}  {'ok' if not findings else f'{len(findings)} findings'}")
            out(*(f"  {plain(finding, _LONGEST)}" for finding in findings))
    if as_json:
        out_json(tree)
    if bad or unread:
        wrong = f"{bad} of {len(wanted)} runs are not what their records say" if bad else ""
        missed_runs = (
            f"{unread} of {len(wanted)} runs cannot be read now; they may be sound, try again" if unread else ""
        )
        err(f"error: {'; '.join(filter(None, [wrong, missed_runs]))}")
        return int(Exit.BAD_INPUT)
    return int(Exit.DONE)


def verify_release(path: Path, *, recompute: bool, signer: Path | None = None, as_json: bool = False) -> int:
    """Check who signed a release's zip, then check it from scratch, one line per check; raises as ``verify.release``.

    With a ``signer``, a release that they did not sign is refused before anything of it is read: SignatureError for a signature of
    somebody else or of another file, DependencyError for none.
    """
    from critnb.verify.release import verify_release
    from critnb.verify.replay import NOT_REPLAYED

    absolute(path, what="--release", any_bytes=True, unreachable=DependencyError)
    checks: list[Check] = []

    def show(check: Check) -> None:
        checks.append(check)
        if not as_json:
            _print(check)

    zip_file = readable_file(path)
    show(_signature(path, zip_file, signer))
    findings = verify_release(zip_file, show, recompute=recompute)
    named = plain(f"{path}, which is {zip_file}" if path.is_symlink() else path)
    not_computed = NOT_REPLAYED if recompute else "anything"
    if as_json:
        told = [_told(check) for check in checks]
        out_json({"release": str(path), "ok": not findings, "checks": told, "not_computed_again": not_computed})
    else:
        out(f"not computed again: {not_computed}", *([] if findings else [f"ok: {named}"]))
    if not findings:
        return int(Exit.DONE)
    err(f"error: {named} is not a sound release: {len(findings)} findings")
    if any(check.result.is_note for check in checks[1:]):  # but that of the signature
        err("they may be the doing of this pack, which is not the zip's; unpack it and check it with its own")
    return int(Exit.BAD_INPUT)


def _signature(path: Path, zip_file: Path, signer: Path | None) -> Check:
    """Say who signed the zip, by the signature beside it or beside the file that it is a link to."""
    from critnb.release import signature
    from critnb.verify.check import Check, Result

    started = time.monotonic()
    beside = [signature.signature_path(each) for each in (path, zip_file)]
    found = next((each for each in beside if os.path.lexists(each)), None)
    if found is None:
        if signer is not None:
            raise DependencyError(f"{path} is unsigned: no {beside[0].name} lies beside it")
        summary = "unsigned: nothing says who made it"
    elif signer is not None:
        summary = signature.verify_signer(zip_file, signature.read_small(found), signer)
    elif not signature.is_available():
        summary = (
            f"not looked at: {found.name} lies beside it, and there is no ssh-keygen here; nothing says who made it"
        )
    else:
        key = signature.signing_key(zip_file, signature.read_small(found))
        summary = f"signed with {key}; nothing says whose that is, which --signer would"
    return Check("signature", Result([], summary, is_note=signer is None), time.monotonic() - started)


def _told(check: Check) -> dict[str, Any]:
    verdict = "fail" if not check.passed else "note" if check.result.is_note else "ok"
    findings = [str(each) for each in check.result.findings]
    facts = {"name": check.name, "verdict": verdict, "seconds": round(check.seconds, 3)}
    return {**facts, "summary": check.result.summary, "findings": findings}


def _print(check: Check) -> None:
    verdict = "FAIL" if not check.passed else "note" if check.result.is_note else "ok  "
    summary = check.result.summary if check.passed else f"{len(check.result.findings)} findings"
    out(f"{verdict}  {check.name:<10}  {check.seconds:5.1f} s  {plain(summary, _LONGEST)}")
    for finding in check.result.findings[:_MOST]:
        out(f"  {plain(finding, _LONGEST)}")
    if len(check.result.findings) > _MOST:
        out(f"  and {len(check.result.findings) - _MOST} more")
