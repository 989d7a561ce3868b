"""Who made a release: signatures by keys that ssh-keygen makes here, each way in which one is not what it should be."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from made import made
from release.chains import zipped

from critnb.canon import Stage
from critnb.cli.command_line import main
from critnb.errors import DependencyError, IntegrityError, ParamsError, RunExistsError, SignatureError
from critnb.release.signature import sign, signature_path, signing_key, verify_signer
from critnb.release.signed_copy import newest_zip, sign_copy
from critnb.runs import RunStore
from critnb.system.paths import readable_file

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on the PATH")


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Path:
    """A folder with the keys of alice and bob, and one of eve that is locked."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("alice", "bob", "eve"):
        words = ["-t", "ed25519", "-N", "locked" if name == "eve" else "", "-C", f"{name}@x", "-f", str(folder / name)]
        subprocess.run(["ssh-keygen", "-q", *words], check=True)
    return folder


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "never")


@pytest.fixture
def small(tmp_path) -> Path:
    return zipped(tmp_path / "small.zip", {"a": b"alpha"})


@pytest.fixture
def signed(small, keys) -> Path:
    signature_path(small).write_bytes(sign(small, keys / "alice"))
    return small


def listed(folder: Path, *lines: str) -> Path:
    path = folder / "allowed"
    path.write_text("# who may release\n\n" + "".join(f"{line}\n" for line in lines))
    return path


def public(keys: Path, name: str) -> str:
    return (keys / f"{name}.pub").read_text().strip()


def signature(path: Path) -> bytes:
    return signature_path(path).read_bytes()


def test_ssh_keygen_itself_finds_the_signature_good(signed, keys, tmp_path):
    allowed = listed(tmp_path, f"alice@x {public(keys, 'alice')}")
    words = ["-f", allowed, "-I", "alice@x", "-n", "critnb-release", "-s", f"{signed}.sig"]
    with signed.open("rb") as file:
        subprocess.run(["ssh-keygen", "-Y", "verify", *map(str, words)], stdin=file, check=True, capture_output=True)


def test_a_public_key_or_a_list_says_whose_it_is(signed, keys, tmp_path):
    assert verify_signer(signed, signature(signed), keys / "alice.pub").startswith(
        f"signed by the key in {keys / 'alice.pub'}"
    )
    many = listed(tmp_path, f"bob@x {public(keys, 'bob')}", f'"carol,*@x" {public(keys, "alice")}')
    assert "signed by carol, ED25519 key SHA256:" in verify_signer(signed, signature(signed), many)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", keys / "alice.pub"], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    assert signing_key(signed, signature(signed)) == f"ED25519 key {fingerprint}"


@pytest.mark.parametrize(
    ("options", "name", "said"),
    [
        ("", "bob", "was made by no key that .* lists: ED25519 key SHA256:"),
        ('valid-before="20010101" ', "alice", "a key that .* lists as expired"),
        ('valid-after="29990101" ', "alice", "a key that .* lists as not valid yet"),
        ('namespaces="git" ', "alice", "lists as not allowed to sign for critnb-release"),
        ('valid-before="20010101" ', "bob", "no key that .* lists"),
        ("cert-authority ", "alice", "no key that .* lists"),
    ],
)
def test_a_signer_who_is_not_or_no_longer_listed(options, name, said, signed, keys, tmp_path):
    with pytest.raises(SignatureError, match=said):
        verify_signer(signed, signature(signed), listed(tmp_path, f"alice@x {options}{public(keys, name)}"))


def test_a_signature_of_other_bytes(signed, keys):
    signed.write_bytes(signed.read_bytes().replace(b"alpha", b"alphA"))
    with pytest.raises(SignatureError, match=r"small\.zip\.sig is not of this file"):
        verify_signer(signed, signature(signed), keys / "alice.pub")


def test_a_signature_for_another_purpose(small, keys):
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", keys / "alice", "-n", "git", small], check=True, capture_output=True
    )
    with pytest.raises(SignatureError, match="was made for another purpose than critnb-release"):
        signing_key(small, signature(small))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n", b"\xff\x1b[2J" * 99]
)
def test_what_is_no_signature(content, small):
    with pytest.raises(SignatureError) as refused:
        signing_key(small, content)
    assert str(refused.value).isprintable()


def test_no_byte_of_a_signature_can_change(signed, keys):
    good, words = signature(signed), verify_signer(signed, signature(signed), keys / "alice.pub")
    body = good.index(b"\n") + 1
    for place in range(body, len(good) - 40, 9):
        changed = bytearray(good)
        changed[place] = ord("A") if good[place] != ord("A") else ord("B")
        if good[place] == ord("\n"):
            continue
        with pytest.raises(SignatureError):
            print(words, verify_signer(signed, bytes(changed), keys / "alice.pub"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("alice", "is a private key; give its"),
        ("empty", "lists no key"),
        ("long", "too long"),
        ("noise", "no key that"),
    ],
)
def test_what_is_no_list_of_signers(name, said, signed, keys, tmp_path):
    (tmp_path / "empty").write_text("# nobody\n")
    (tmp_path / "long").write_bytes(b"x" * (2 << 20))
    (tmp_path / "noise").write_bytes(b"\xff\0\x1b[2J\n")
    signer = keys / name if name == "alice" else tmp_path / name
    with pytest.raises(SignatureError, match=said):
        verify_signer(signed, signature(signed), signer)


def test_keys_that_cannot_sign(small, keys, tmp_path):
    lonely, open_key, noise = tmp_path / "lonely.pub", tmp_path / "open", tmp_path / "noise"
    shutil.copy(keys / "bob.pub", lonely)
    shutil.copy(keys / "bob", open_key)
    open_key.chmod(0o644)
    noise.write_text("no key")
    for key, said in [
        (keys / "eve", "locked by a passphrase; add it to the agent"),
        (lonely, "neither beside it nor in the agent"),
        (open_key, "others may read it"),
        (noise, "cannot sign"),
    ]:
        with pytest.raises(SignatureError, match=said) as refused:
            sign(small, key)
        assert len(str(refused.value).splitlines()) == 1


def test_without_the_program(small, keys, monkeypatch, capsys):
    signature_path(small).write_bytes(sign(small, keys / "alice"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DependencyError, match="ssh-keygen is not on the PATH; signatures take OpenSSH"):
        sign(small, keys / "alice")
    assert main(["verify", "--release", str(small), "--no-recompute", "--signer", str(keys / "alice.pub")]) == 3
    assert capsys.readouterr().out == ""
    main(["verify", "--release", str(small), "--no-recompute"])
    assert "there is no ssh-keygen here; nothing says who made it" in capsys.readouterr().out


def test_from_a_run_to_a_stranger_on_the_command_line(zip_file, keys, tmp_path, capsys, monkeypatch):
    store = RunStore(tmp_path / "runs")
    run = made(store, Stage.S08, files={"results/r.zip": zip_file.read_bytes()})
    before = sorted(run.path.rglob("*"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert main(["release", "--sign", str(keys / "alice"), "--runs-dir", str(store.root)]) == 0
    assert sorted(run.path.rglob("*")) == before
    assert sorted(each.name for each in here.iterdir()) == ["r.zip", "r.zip.sig"]
    assert (here / "r.zip").read_bytes() == zip_file.read_bytes()
    told = capsys.readouterr().out
    assert f"{here / 'r.zip'}\n" in told
    verify = ["verify", "--release", "r.zip", "--no-recompute"]
    assert main([*verify, "--signer", str(keys / "alice.pub")]) == 0
    assert capsys.readouterr().out.startswith("ok    signature")
    assert main([*verify, "--signer", str(keys / "bob.pub")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert main(["release", "--sign", str(keys / "alice"), "r.zip"]) == 4
    assert "r.zip.sig exists" in capsys.readouterr().err
    Path("r.zip.sig").unlink()
    assert main([*verify, "--signer", str(keys / "alice.pub")]) == 3
    assert "r.zip is unsigned: no r.zip.sig lies beside it" in capsys.readouterr().err


def test_nothing_is_added_to_a_run_or_written_over(small, keys, tmp_path):
    store = RunStore(tmp_path / "runs")
    with pytest.raises(DependencyError, match="holds no release; run phase8"):
        newest_zip(store)
    run = made(store, Stage.S08, files={"results/r.zip": small.read_bytes()})
    inside = newest_zip(store)
    with pytest.raises(ParamsError, match="is part of a run, which nothing is added to"):
        sign_copy(inside, keys / "alice", run.path / "results")
    other = tmp_path / "other"
    other.mkdir()
    (other / "r.zip").write_bytes(b"another")
    with pytest.raises(RunExistsError, match="exists and is another file"):
        sign_copy(inside, keys / "alice", other)
    assert [each.name for each in other.iterdir()] == ["r.zip"]
    with pytest.raises(SignatureError):
        sign_copy(inside, keys / "eve", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    inside.chmod(0o644)
    inside.write_bytes(small.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match="is not the file that its run's record names"):
        newest_zip(store)


def test_what_is_no_release_is_not_signed(keys, tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(IntegrityError, match=r"x\.zip is no release"):
        sign_copy(tmp_path / "x.zip", keys / "alice", None)


def test_a_link_is_followed_to_a_file_and_to_its_signature(signed, keys, tmp_path, capsys):
    link = tmp_path / "folder" / "LINK.zip"
    link.parent.mkdir()
    link.symlink_to(signed)
    main(["verify", "--release", str(link), "--no-recompute", "--signer", str(keys / "alice.pub")])
    told = capsys.readouterr()
    assert told.out.startswith("ok    signature")
    assert f"{link}, which is {signed} is not a sound release" in told.err


def test_what_a_user_names_and_is_no_file(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "gone").symlink_to("nowhere\n\x1b[2J")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to("pipe")
    said = {
        "loop": "is a symbolic link that leads in a circle",
        "gone": r"is a symbolic link to 'nowhere\\n\\x1b\[2J', which is not there",
        "pipe": "is a pipe, not a file",
        "to_pipe": "is a pipe, not a file",
        ".": "is a folder, not a file",
        "absent": "no such file",
        "absent/below": "no such file",
        "a" * 300: "File name too long",
    }
    for name, words in said.items():
        with pytest.raises(DependencyError, match=words):
            readable_file(tmp_path / name)
    with pytest.raises(DependencyError, match="is a device, not a file"):
        readable_file(Path("/dev/null"))
    with pytest.raises(DependencyError, match="no path of a file"):
        readable_file(Path("a\0b"))


def test_a_socket_is_no_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(DependencyError, match="is a socket"):
            readable_file(Path("s"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(small):
    small.chmod(0)
    with pytest.raises(DependencyError, match="Permission denied"):
        readable_file(small)
