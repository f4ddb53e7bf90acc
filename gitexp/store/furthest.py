"""How far each remote's models were ever seen: `.git/gitexp/models/furthest`, `<oid> <remote> <ref>` a line.

What a remote holds is looked at anew at each push and fetch; this memory moves forward only, so that a chain that was
cut or replaced there is noticed. Deleting it loses that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from gitexp import files, ids
from gitexp.git import chain, objects, transport
from gitexp.store import remotes
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace


def remembered(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Return {remote: {ref: head}} of the configured remotes, at the addresses they have now."""
    known = _read(workspace)
    names = {name: _key(Remote(name, url)) for name, url in transport.names(workspace.repo).items()}
    return {name: known[key] for name, key in names.items() if key in known}


def advance(workspace: Workspace) -> None:
    """Take in what remotes were last seen to hold, where it goes on from what they held before."""
    held = {
        remote: {ref: oid for ref, oid in found.items() if ref.startswith(ids.MODELS)}
        for remote, found in remotes.holdings(workspace).items()
    }
    known, before = _read(workspace), remembered(workspace)
    urls = transport.names(workspace.repo)
    changed = False
    for name, found in held.items():
        far = before.get(name, {})
        news = {
            ref: oid for ref, oid in found.items() if far.get(ref) != oid and _follows(workspace, far.get(ref), oid)
        }
        if news:
            known[_key(Remote(name, urls[name]))] = {**far, **news}
            changed = True
    if changed:
        _write(workspace, known)


def back(workspace: Workspace) -> dict[str, dict[str, str | None]]:
    """Return {remote: {ref: head now, None for none}} of models that a remote holds less of than it did, or others."""
    held, found = remotes.holdings(workspace), dict[str, dict[str, str | None]]()
    for name, far in remembered(workspace).items():
        for ref, before in far.items() if name in held else ():
            now = held[name].get(ref)
            if now is None or (now != before and objects.exists(workspace.repo, now)):
                found.setdefault(name, {})[ref] = now
    return found


def accept(workspace: Workspace, refs: set[str]) -> None:
    """Forget how far these models were: what remotes hold now is where they are."""
    known = _read(workspace)
    _write(workspace, {key: {ref: oid for ref, oid in far.items() if ref not in refs} for key, far in known.items()})
    advance(workspace)


def _follows(workspace: Workspace, known: str | None, oid: str) -> bool:
    repo = workspace.repo
    return objects.exists(repo, oid) and (known is None or chain.is_behind(repo, known, oid))


def _key(remote: Remote) -> str:
    return f"{remotes.key(remote)}@{hashlib.sha256(remote.url.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def _read(workspace: Workspace) -> dict[str, dict[str, str]]:
    try:
        lines = _file(workspace).read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: dict[str, dict[str, str]] = {}
    for oid, key, ref in (line.split(" ") for line in lines if line.count(" ") == 2):
        if len(oid) == 40 and ref.startswith(ids.MODELS):
            found.setdefault(key, {})[ref] = oid
    return found


def _write(workspace: Workspace, known: Mapping[str, Mapping[str, str]]) -> None:
    lines = [f"{oid} {key} {ref}\n" for key, far in sorted(known.items()) for ref, oid in sorted(far.items())]
    files.write(_file(workspace), "".join(lines).encode(), durable=True)


def _file(workspace: Workspace) -> Path:
    return workspace.home / "models" / "furthest"
