"""Who signed a commit, as Git says: what `git verify-commit` finds, of many commits at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gitexp.git import command, keyring, objects
from gitexp.git.batch import Batch
from gitexp.git.repo import Repo
from gitexp.record import event, roster
from gitexp.record.event import Signer

MAX_BYTES = 1 << 20  # of a commit that is verified
_ARMORS = {b"-----BEGIN SSH SIGNATURE-----": "ssh", b"-----BEGIN PGP SIGNATURE-----": "gpg"}
_HEADER = re.compile(rb"\ngpgsig(?:-sha256)? ([^\n]*(?:\n [^\n]*)*)")
_THREADS = 4
_FEW = 8  # commits for which a second git would only cost its own start
_FIELDS = ("%H", "%G?", "%GS", "%GF", "%GP", "%GG")
# What is verified is what the object says: nothing that stands for it, nothing fetched, dates as UTC.
_PLAINLY = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature that stands in a commit: its format, the SSH key that it names, and when.

    The format is "" where nobody could say which of two signatures counts, "other" where gitexp does not know it.
    """

    oid: str
    format: str
    key: str
    committed_s: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Git says of one signature; `mark` is the letter of `%G?`."""

    mark: str
    person: str
    key: str
    primary: str
    said: str


def read(oid: str, data: bytes) -> Claim | None:
    """Return the signature that a commit's bytes hold, None where there is none."""
    head = data.partition(b"\n\n")[0]
    if b"\ngpgsig" not in head:
        return None
    armors = [armor.replace(b"\n ", b"\n") for armor in _HEADER.findall(head)]
    format = ""
    if len(armors) == 1:
        format = next((name for begin, name in _ARMORS.items() if armors[0].startswith(begin)), "other")
    key = roster.signed_by(armors[0].decode("ascii", "replace")) if format == "ssh" else ""
    return Claim(oid, format, key, objects.decode_commit(data).committer.time_s)


def find(repo: Repo, oids: Iterable[str]) -> dict[str, Claim | None]:
    """Return the signatures that commits hold; those that are not here have no entry. No process where all are."""
    found, elsewhere = {}, []
    for oid in dict.fromkeys(oids):
        if objects.exists(repo, oid):
            found[oid] = read(oid, objects.commit_bytes(repo, oid))
        else:
            elsewhere.append(oid)
    if elsewhere and command.available():  # in the quarantine of a push
        with Batch(repo) as batch:
            for oid, kind, data in batch.read(elsewhere, limit_bytes=MAX_BYTES):
                if kind == "commit" and data is not None:
                    found[oid] = read(oid, data)
    return found


def verify(
    repo: Repo,
    oids: Iterable[str],
    allowed: Path | None,
    revoked: Path | None = None,
    *,
    gpg: Mapping[str, str] | None = None,
) -> dict[str, Signer]:
    """Return who signed each commit; those that are not here have no entry."""
    return decide(repo, find(repo, oids), allowed, revoked, gpg=gpg)


def decide(
    repo: Repo,
    claims: Mapping[str, Claim | None],
    allowed: Path | None,
    revoked: Path | None = None,
    *,
    gone: frozenset[str] = frozenset(),
    gpg: Mapping[str, str] | None = None,
) -> dict[str, Signer]:
    """Return who made the signatures that were found.

    SSH keys are good by the list `allowed`, unless the list or KRL `revoked`, or `gone` (fingerprints), has them; GPG
    keys by `gpg` {e-mail: fingerprint}, else by the user's own trust. The time of a signature is the commit's, so a key
    that ended later was good.
    """
    signers = {oid: _plain(claim) for oid, claim in claims.items()}
    claimed = [claim for claim in claims.values() if claim is not None]
    ssh = [claim for claim in claimed if claim.format == "ssh"]
    if ssh and command.available() and keyring.program(repo, "ssh"):
        signers |= _ssh(repo, ssh, allowed, revoked, gone)
    pgp = [claim for claim in claimed if claim.format == "gpg"]
    if pgp and command.available() and keyring.program(repo, "gpg"):
        signers |= _gpg(repo, pgp, gpg or {})
    return signers


def _plain(claim: Claim | None) -> Signer:
    """Return what can be said of a signature that no program has looked at."""
    if claim is None:
        return event.NOBODY
    if not claim.format:
        return Signer(event.BAD)
    return Signer(event.UNCHECKED, key=claim.key, format=claim.format if claim.format != "other" else "")


def _ssh(
    repo: Repo, claims: Sequence[Claim], allowed: Path | None, revoked: Path | None, gone: frozenset[str]
) -> dict[str, Signer]:
    known = roster.parse(_text(allowed))
    gone |= roster.revoked(_text(revoked))
    verdicts = _ask(repo, claims, _lists(allowed, revoked))
    # Git says the same of a revoked key, and of one that is for other things, as of a forged commit: asked again
    # without the list that may be why, it says whether the signature itself is right.
    again = _ask(repo, _bad(claims, verdicts), _lists(allowed, None)) if revoked else {}
    gone |= {claim.key for claim in claims if claim.oid in again and again[claim.oid].mark in ("G", "U")}
    verdicts |= again
    verdicts |= _ask(repo, _bad(claims, verdicts), _lists(None, None))
    return {claim.oid: _ssh_signer(claim, verdicts[claim.oid], known, gone) for claim in claims}


def _lists(allowed: Path | None, revoked: Path | None) -> tuple[str, ...]:
    files = {"allowedSignersFile": allowed, "revocationFile": revoked}
    return tuple(word for key, path in files.items() for word in ("-c", f"gpg.ssh.{key}={path or os.devnull}"))


def _bad(claims: Sequence[Claim], verdicts: Mapping[str, Verdict]) -> list[Claim]:
    return [claim for claim in claims if verdicts[claim.oid].mark == "B" and verdicts[claim.oid].said.strip()]


def _ssh_signer(claim: Claim, verdict: Verdict, known: roster.Roster, gone: frozenset[str]) -> Signer:
    key = verdict.key or claim.key
    if verdict.mark not in ("G", "U"):
        return Signer(event.BAD if verdict.said.strip() else event.UNCHECKED, key=key, format="ssh")
    lines = known.of(key)
    if key in gone:
        status = event.REVOKED
    elif verdict.mark == "G":
        status = event.GOOD
    else:
        status = event.EXPIRED if any(line.dated for line in lines) else event.UNKNOWN
    # Of several addresses it is the first, whatever the commit claims: else one key could approve as two people.
    return Signer(status, verdict.person or (lines[0].people[0] if lines else ""), key, "ssh")


def _gpg(repo: Repo, claims: Sequence[Claim], people: Mapping[str, str]) -> dict[str, Signer]:
    verdicts = _ask(repo, claims, ())
    keys = {item.key: keyring.pgp_key(repo, item.key) for item in verdicts.values() if item.mark in ("G", "U", "Y")}
    owners: dict[str, list[str]] = {}
    for email, fingerprint in people.items():
        owners.setdefault("".join(fingerprint.split()).upper(), []).append(email)
    return {
        claim.oid: _gpg_signer(claim, verdicts[claim.oid], keys.get(verdicts[claim.oid].key), owners)
        for claim in claims
    }


_GPG_MARKS = {"X": event.EXPIRED, "R": event.REVOKED, "E": event.UNKNOWN, "B": event.BAD}


def _gpg_signer(
    claim: Claim, verdict: Verdict, key: keyring.PgpKey | None, owners: Mapping[str, Sequence[str]]
) -> Signer:
    if key is None:
        status = _GPG_MARKS.get(verdict.mark, event.UNCHECKED)
        return Signer(status, key=verdict.primary or verdict.key, format="gpg")
    # With a list of fingerprints that alone counts: everybody's own trust would judge one approval differently.
    trusted = key.trusted if verdict.mark != "U" else ()
    people = [*owners.get(key.fingerprint, ()), *owners.get(verdict.key, ())] if owners else trusted
    person = people[0] if people else ""
    ends = [key.ends_s[part] for part in (key.fingerprint, verdict.key) if part in key.ends_s]
    ended = claim.committed_s > min(ends) if ends else verdict.mark == "Y"
    status = event.EXPIRED if ended else event.GOOD if people else event.UNKNOWN
    return Signer(status, person, key.fingerprint, "gpg")


def _ask(repo: Repo, claims: Sequence[Claim], settings: Sequence[str]) -> dict[str, Verdict]:
    """Ask git about signatures: one process for many, a few side by side, for each starts programs of its own."""
    oids = [claim.oid for claim in claims]
    threads = min(_THREADS, os.cpu_count() or 1, len(oids) // _FEW + 1)
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(lambda start: _ask_one(repo, oids[start::threads], settings), range(threads))
        return {oid: verdict for part in parts for oid, verdict in part.items()}


def _ask_one(repo: Repo, oids: Sequence[str], settings: Sequence[str]) -> dict[str, Verdict]:
    if not oids:
        return {}
    words = (
        "log",
        "--stdin",
        "--no-walk=unsorted",
        "--no-show-signature",
        "--no-patch",
        "--no-color",
        "-z",
        "--encoding=UTF-8",
    )
    form = "--format=" + "%x00".join(_FIELDS)
    done = command.run(repo, *settings, *words, form, input="\n".join([*oids, ""]).encode(), env=_PLAINLY)
    parts = done.stdout.decode("utf-8", "replace").split("\0")
    rows = [parts[start : start + len(_FIELDS)] for start in range(0, len(parts) - 1, len(_FIELDS))]
    return {row[0]: Verdict(*row[1:]) for row in rows}


def _text(path: Path | None) -> str:
    """Return a list's text; one that is binary (a KRL) has no lines."""
    if path is None or not path.is_file():
        return ""
    with open(path, "rb") as file:
        return file.read(roster.MAX_BYTES).decode("utf-8", "replace")
