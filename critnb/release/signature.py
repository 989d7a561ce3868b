"""Signatures of a release by SSH keys: they say who made it, which no digest can.

``ssh-keygen -Y`` (OpenSSH 8.2 or newer) makes and checks them, so that anyone can do it by hand too. What is signed are
the bytes of the zip, under a namespace of its own: a signature that a key made for git or mail does not pass for one of a release.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from critnb.canon import CANON
from critnb.errors import DependencyError, SignatureError
from critnb.runs.files import read_regular
from critnb.runs.scratch import Scratch
from critnb.system.paths import readable_file

_NAMESPACE = CANON.PROJECT.SIGNATURE_NAMESPACE
_PROGRAM = "ssh-keygen"
_LONGEST = 1 << 20
_KEY_TYPE = re.compile(r"(sk-)?(ssh|ecdsa)-[\w@.-]+\s+[A-Za-z0-9+/=]+(\s.*)?")
_WITH_KEY = re.compile(r"with (\S+ key SHA256:\S+)")
# the name of a signer who is known by the key alone
_SOMEONE = "the-signer"
_CANNOT_SIGN = (
    ("passphrase", "it is locked by a passphrase; add it to the agent with ssh-add, or sign at a terminal"),
    ("too open", "others may read it, so that ssh-keygen leaves it alone; chmod 600"),
    ("No private key", "its private half is neither beside it nor in the agent"),
    ("Couldn't load public key", "ssh-keygen finds no key in it"),
)
_NOT_SIGNED = (
    ("namespace", f"was made for another purpose than {_NAMESPACE}"),
    ("incorrect signature", "is not of this file: it is another's, or one of the two was changed"),
    ("parse signature", "is no SSH signature"),
)
_NOT_ALLOWED = (
    ("expired", "expired"),
    ("not yet valid", "not valid yet"),
    ("not permitted", f"not allowed to sign for {_NAMESPACE}"),
)


def signature_path(path: Path) -> Path:
    """Return the path of a file's signature: beside it, under its name and a suffix."""
    return path.with_name(f"{path.name}{CANON.PATH.SIGNATURE_SUFFIX}")


def is_available() -> bool:
    """Whether the program that checks signatures is installed."""
    return shutil.which(_PROGRAM) is not None


def sign(path: Path, key: Path) -> bytes:
    """Return the signature of a file's bytes by a private key, or by the key of the agent that a public one names.

    Raises SignatureError for a key that cannot sign, DependencyError without ssh-keygen.
    """
    with _scratch() as folder:
        # ssh-keygen writes beside what it signs, and asks for a passphrase only where it does not read from a pipe
        link = folder / "release.zip"
        link.symlink_to(path.absolute())
        done = _run("sign", "-f", str(key), str(link))
        if done.returncode:
            raise SignatureError(f"{key} cannot sign: {_explanation(done.stderr, _CANNOT_SIGN)}")
        return read_regular(signature_path(link))


def signing_key(path: Path, signature: bytes) -> str:
    """Return type and fingerprint of the key that signed these very bytes, which does not say whose key that is.

    Raises SignatureError for a signature of anything else, DependencyError without ssh-keygen.
    """
    with _scratch(sig=signature) as folder, path.open("rb") as zip_file:
        done = _run("check-novalidate", "-s", str(folder / "sig"), stdin=zip_file.fileno())
    key = _WITH_KEY.search(done.stdout)
    if done.returncode or key is None:
        raise SignatureError(f"{signature_path(path).name} {_explanation(done.stderr, _NOT_SIGNED)}")
    return key[1]


def verify_signer(path: Path, signature: bytes, signer: Path) -> str:
    """Return in words which signer made the signature, of those that a file of allowed signers or of public keys lists.

    Raises as ``signing_key``, SignatureError for a signer who is not listed or no longer is, DependencyError for no file.
    """
    key = signing_key(path, signature)
    with _scratch(sig=signature, allowed=_allowed(signer)) as folder:
        files = ("-s", str(folder / "sig"), "-f", str(folder / "allowed"))
        found = _run("find-principals", *files)
        why = found.stderr
        names = [name for line in found.stdout.splitlines() for name in line.split(",") if not name.startswith("!")]
        for name in names:
            with path.open("rb") as zip_file:
                done = _run("verify", *files, "-I", name, stdin=zip_file.fileno())
            if done.returncode == 0:
                return f"signed by {name if name != _SOMEONE else f'the key in {signer}'}, {key}"
            why += done.stderr
    reason = next((words for part, words in _NOT_ALLOWED if part in why), "")
    listed_as = f"a key that {signer} lists as {reason}" if reason else f"no key that {signer} lists"
    raise SignatureError(f"{signature_path(path).name} was made by {listed_as}: {key}")


def _allowed(signer: Path) -> bytes:
    """Return a file's list of allowed signers; a file of public keys is turned into one."""
    text = read_small(signer).decode("utf-8", errors="replace")
    if "PRIVATE KEY" in text:
        raise SignatureError(f"{signer} is a private key; give its .pub, or a list of allowed signers")
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise SignatureError(f"{signer} lists no key")
    if all(_KEY_TYPE.fullmatch(line) for line in keys):
        keys = [f'{_SOMEONE} namespaces="{_NAMESPACE}" {line}' for line in keys]
    return "".join(f"{line}\n" for line in keys).encode()


def read_small(path: Path) -> bytes:
    """Return the bytes of a signature or a list of keys; raises DependencyError for no file, SignatureError for a long one."""
    found = readable_file(path)
    if found.stat().st_size > _LONGEST:
        raise SignatureError(f"{path} is too long for a signature or a list of keys")
    return read_regular(found)


@contextmanager
def _scratch(**contents: bytes) -> Iterator[Path]:
    """A temporary folder with files of these contents, so that bytes that are looked at twice do not change in between."""
    with Scratch() as folder:
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        yield folder


def _run(what: str, *words: str, stdin: int | None = None) -> subprocess.CompletedProcess[str]:
    program = shutil.which(_PROGRAM)
    if program is None:
        raise DependencyError(f"{_PROGRAM} is not on the PATH; signatures take OpenSSH 8.2 or newer")
    namespace = () if what == "find-principals" else ("-n", _NAMESPACE)
    done = subprocess.run(
        [program, "-Y", what, *namespace, *words],
        stdin=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    if "unknown option" in done.stderr or "illegal option" in done.stderr or "Unsupported operation" in done.stderr:
        raise DependencyError(f"{program} is too old to sign; signatures take OpenSSH 8.2 or newer")
    return done


def _explanation(stderr: str, known: tuple[tuple[str, str], ...]) -> str:
    """Return the explanation of what ssh-keygen said, or its own last line."""
    said = next((words for part, words in known if part in stderr), "")
    return said or ascii((stderr.strip().splitlines() or ["ssh-keygen says nothing of the reason"])[-1])
