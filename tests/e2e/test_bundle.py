"""A bundle can be checked anywhere: what it says follows from what it holds, and who signed it is who was to sign it."""

from __future__ import annotations

import json
import pathlib
import shutil
import stat
import subprocess

import pytest

from tests.e2e.harness import Harness
from tests.oracle.generate import Stream, ndjson


@pytest.fixture
def key(vs: Harness) -> pathlib.Path:
    vs.run("keygen", vs.dir / "office.key")
    return vs.dir / "office.key"


@pytest.fixture
def bundle(vs: Harness, key: pathlib.Path) -> pathlib.Path:
    vs.ingest(ndjson(Stream(81).records(20_000), 81))
    vs.count()
    return make(vs, "--key", key)


def make(vs: Harness, *flags: object, name: str = "results.bundle", **options: object) -> pathlib.Path:
    return vs.file(name, vs.run("results", "--store", vs.store, "--format", "bundle", *flags, **options).out)


def verify(vs: Harness, bundle: pathlib.Path, *flags: object, status: int = 0):
    return vs.run("verify", bundle, *flags, status=status)


def changed(vs: Harness, bundle: pathlib.Path, old: str, new: str) -> pathlib.Path:
    text = bundle.read_text()
    assert old in text
    return vs.file("changed.bundle", text.replace(old, new, 1).encode())


def test_a_key_is_made_once_and_for_its_owner(vs: Harness, key: pathlib.Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = key.read_bytes()
    vs.refused("keygen", key, says=("office.key", "overwritten"))
    assert key.read_bytes() == secret


def test_sound_on_another_machine(vs: Harness, bundle: pathlib.Path, key: pathlib.Path) -> None:
    results = vs.results()
    shutil.rmtree(vs.dir / "log")
    (vs.dir / "results.db").unlink()
    outcome = verify(vs, bundle, "--key", f"{key}.pub")
    assert outcome.text.startswith("verify: sound, signed by ") and results["ledger"]["digest"] in outcome.text
    public = verify(vs, bundle).text.split("signed by ")[1][:64]
    verify(vs, bundle, "--key", public)
    assert f"{results['counted']:,} counted" in outcome.text


def test_the_signature_is_what_other_programs_know(vs: Harness, bundle: pathlib.Path, key: pathlib.Path) -> None:
    """Ed25519 over the first line, checked by OpenSSL with the public key file."""
    head, seal, *_ = bundle.read_bytes().split(b"\n")
    (vs.dir / "head").write_bytes(head)
    (vs.dir / "head.sig").write_bytes(bytes.fromhex(json.loads(seal)["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{key}.pub", "-rawin", "-in", "head", "-sigfile", "head.sig"]
    checked = subprocess.run(command, cwd=vs.dir, capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and "Verified Successfully" in checked.stdout, checked
    # Not by chance: another head is not what was signed.
    (vs.dir / "head").write_bytes(head + b" ")
    assert subprocess.run(command, cwd=vs.dir, capture_output=True, check=False).returncode != 0


def test_a_key_by_environment(vs: Harness, bundle: pathlib.Path, key: pathlib.Path) -> None:
    for text in (key.read_text(), key.read_text().replace("\n", " ")):
        made = make(vs, env={"VOTESTREAM_SIGNING_KEY": text}, name="by-env.bundle")
        assert made.read_bytes() == bundle.read_bytes()
    vs.refused(
        "results", "--store", vs.store, "--format", "bundle",
        env={"VOTESTREAM_SIGNING_KEY": "open sesame"}, says=("VOTESTREAM_SIGNING_KEY", "keygen"),
    )  # fmt: skip


def test_what_was_tampered_with_is_named(vs: Harness, bundle: pathlib.Path) -> None:
    results = json.loads(bundle.read_text().split("\n")[3])
    votes = results["candidates"][0]["votes"]
    outcome = verify(vs, changed(vs, bundle, f'"votes":{votes},', f'"votes":{votes + 1},'), status=1)
    assert "section 'results' was changed" in outcome.text
    sequence = f'"sequence":{results["sequence"]},'
    outcome = verify(vs, changed(vs, bundle, sequence, '"sequence":987654,'), status=1)
    assert "signature" in outcome.text
    outcome = verify(vs, vs.file("cut.bundle", bundle.read_bytes()[:-200]), status=1)
    assert "section 'ledger' was changed" in outcome.text


def test_a_forger_without_the_key(vs: Harness, bundle: pathlib.Path, key: pathlib.Path) -> None:
    vs.run("keygen", vs.dir / "forger.key")
    forged = make(vs, "--key", vs.dir / "forger.key", name="forged.bundle")
    verify(vs, forged)
    outcome = verify(vs, forged, "--key", f"{key}.pub", status=1)
    assert "another key" in outcome.text
    unsigned = make(vs, name="unsigned.bundle")
    assert "not signed" in verify(vs, unsigned).text
    assert "not signed" in verify(vs, unsigned, "--key", f"{key}.pub", status=1).text


def test_what_cannot_be_read_is_2(vs: Harness, bundle: pathlib.Path) -> None:
    vs.refused("verify", changed(vs, bundle, '"version":1', '"version":2'), says=("version 2", "newer votestream"))
    for name, data in (("empty", b""), ("noise", bytes(range(256))), ("other", b'{"votestream":"ballot","version":1}\n')):
        vs.refused("verify", vs.file(name, data), says=(name,))
    vs.refused("verify", vs.dir / "nowhere", says=("nowhere",))
    vs.refused("verify", bundle, "--key", vs.dir / "nowhere.pub", says=("nowhere.pub",))
    vs.refused("verify", bundle, "--key", bundle, says=("no key file",))


def test_nothing_is_told_of_a_withheld_region(vs: Harness, bundle: pathlib.Path) -> None:
    vs.run("hold", "--store", vs.store, "--region", "OH")
    vs.refused("results", "--store", vs.store, "--format", "bundle", says=("withheld",))
    vs.run("reopen", "--store", vs.store, "--region", "OH")
    vs.run("close", "--store", vs.store)
    verify(vs, make(vs))


def test_its_lines_are_checked_by_anyone(vs: Harness, bundle: pathlib.Path) -> None:
    """Counts, chain and sections in a few lines of Python with nothing of the product's."""
    head, _, *lines = bundle.read_text().rstrip("\n").split("\n")
    sections = dict(zip([s["name"] for s in json.loads(head)["sections"]], lines, strict=True))
    assert [len(line.encode()) for line in lines] == [s["bytes"] for s in json.loads(head)["sections"]]
    results, ledger = json.loads(sections["results"]), json.loads(sections["ledger"])
    assert sum(p["counted"] for p in ledger["partitions"]) == results["counted"]
    assert sum(p["open_records"] + sum(n for _, n, _ in p["leaves"]) for p in ledger["partitions"]) == results["records"]
    assert "salt" not in json.loads(sections["definition"])
