"""The interpreter and its packages, as a program of its own: any Python from 3.7 on can run this file alone.

It is imported for the interpreter that gitexp runs in, and fed to any other one (`python -I - < probe.py`). So it
imports nothing of gitexp, and nothing that is newer than 3.7.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, Iterable  # noqa: UP035  # for 3.7 and 3.8

MAX_ENTRIES = 20_000  # names read of one folder on the path; the folder of a script may hold a data set
MAX_JSON_BYTES = 1 << 20
_HEAD_BYTES = 2048
_SEPARATORS = re.compile(r"[-_.]+")
_FIELD = re.compile(r"^(Name|Version):[ \t]*(\S+)", re.MULTILINE)
_CONDA_URL = re.compile(r'^  "url":\s*"([^"\s]+)"', re.MULTILINE)
_CONDA_MD5 = re.compile(r'^  "md5":\s*"([0-9a-f]{32})"', re.MULTILINE)
_CONDA_FIELD = re.compile(r'^  "(name|version)":\s*"([^"\s]+)"', re.MULTILINE)
_folders: dict[tuple[str, int], dict[str, Any]] = {}


def probe() -> dict[str, Any]:
    """Return what environment.json says of this interpreter, with all its packages."""
    return {"python": python(), "packages": packages(sys.path, sys.prefix)}


def python() -> dict[str, Any]:
    """Return version, implementation and place of this interpreter."""
    found: dict[str, Any] = {
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "implementation": getattr(sys.implementation, "name", ""),
        "executable": sys.executable or "",
        "prefix": sys.prefix,
    }
    if sys.version_info.releaselevel != "final":
        found["version"] += f"{sys.version_info.releaselevel[0]}{sys.version_info.serial}"
    if found["implementation"] == "cpython":
        found["implementation"] = "CPython"
    if sys.prefix != sys.base_prefix:
        found["virtualenv"] = True
    if os.path.isdir(os.path.join(sys.prefix, "conda-meta")):  # noqa: PTH112, PTH118  # pathlib is 4 ms of import
        found["conda"] = True
    return found


def packages(path: Iterable[str], prefix: str) -> dict[str, Any]:
    """Return {normalised name: package} of all that can be imported; the first on the path wins, as for Python."""
    found: dict[str, Any] = {}
    for entry in path:
        for name, package in _folder(entry or ".").items():
            found.setdefault(name, package)
    for name, package in _conda(prefix).items():
        ours = found.get(name)
        if ours is None or ours["origin"] == "conda":
            found[name] = dict(package, version=ours["version"]) if ours else package
    return found


def normalise(name: str) -> str:
    """Return a package's name as indexes compare it: PyYAML and ruamel.yaml are pyyaml and ruamel-yaml."""
    return _SEPARATORS.sub("-", name).lower()


def _folder(folder: str) -> dict[str, Any]:
    """Return the packages of one folder; remembered until the folder changes, since installing changes its names."""
    try:
        key = (os.path.abspath(folder), os.stat(folder).st_mtime_ns)  # noqa: PTH100, PTH116
        if key not in _folders:
            _folders[key] = _read_folder(folder)
    except OSError:
        return {}  # a zip file, or nothing at all
    return _folders[key]


def _read_folder(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= MAX_ENTRIES:
                break
            name = entry.name
            if name.endswith((".dist-info", ".egg-info", ".egg")):
                package = _distribution(entry.path, name)
            elif name.endswith(".egg-link"):
                package = _egg_link(entry.path, name)
            else:
                continue
            if package and (package[0] not in found or name.endswith(".dist-info")):
                found[package[0]] = package[1]
    return found


def _distribution(path: str, name: str) -> tuple[str, dict[str, Any]] | None:
    """Return the package of one .dist-info or .egg-info; None for what an interrupted install left behind."""
    folder = path + "/EGG-INFO" if name.endswith(".egg") else path
    head = _read(folder + ("/METADATA" if name.endswith(".dist-info") else "/PKG-INFO"), _HEAD_BYTES)
    if not head and name.endswith(".egg-info"):
        head = _read(path, _HEAD_BYTES)  # distutils wrote a file, not a folder
    fields = {match[1]: match[2] for match in _FIELD.finditer(head.split("\n\n", 1)[0])}
    parts = name.rsplit(".", 1)[0].split("-")
    title, version = fields.get("Name") or parts[0], fields.get("Version") or (parts[1] if len(parts) > 1 else "")
    if not title or not version or title.startswith("~"):
        return None
    direct = _read(folder + "/direct_url.json", MAX_JSON_BYTES)
    origin = _direct(direct) if direct else {"origin": _installer(folder)}
    return normalise(title), dict(origin, version=version)


def _installer(folder: str) -> str:
    name = _read(folder + "/INSTALLER", 64).strip().lower()
    return name if name == "conda" else "system" if name in ("debian", "rpm", "apt", "dnf") else "index"


def _direct(text: str) -> dict[str, Any]:
    """Return the origin that direct_url.json tells (PEP 610): a repository, an archive, a folder."""
    try:
        direct = json.loads(text)
        url = "" + direct["url"]  # a TypeError for what is no text
        local = _local(url)
        where: dict[str, Any] = {"path": local} if local else {"url": url}
        if direct.get("subdirectory"):
            where["subdirectory"] = str(direct["subdirectory"])
        if "vcs_info" in direct:
            vcs = direct["vcs_info"]
            return dict(where, origin="vcs", url=url, vcs=str(vcs.get("vcs", "git")), commit=str(vcs["commit_id"]))
        if "dir_info" in direct:
            return dict(where, origin="editable" if direct["dir_info"].get("editable") else "folder")
        return dict(where, origin="wheel" if local else "url", **_hash(direct.get("archive_info") or {}))
    except (ValueError, TypeError, KeyError, AttributeError):
        return {"origin": "unknown"}


def _hash(archive: dict[str, Any]) -> dict[str, str]:
    known = (archive.get("hashes") or {}).get("sha256")
    name, _, digest = str(archive.get("hash") or "").partition("=")
    found = known or (digest if name == "sha256" else "")
    return {"sha256": str(found)} if found else {}


def _local(url: str) -> str:
    if not url.startswith("file://"):
        return ""
    from urllib.parse import unquote  # 3 ms, and only for packages installed from a folder

    return unquote(url[len("file://") :].partition("#")[0])


def _egg_link(path: str, name: str) -> tuple[str, dict[str, Any]] | None:
    target = _read(path, 4096).split("\n", 1)[0].strip()
    title = name[: -len(".egg-link")]
    for place in (title, _SEPARATORS.sub("_", title)):
        head = _read(f"{target}/{place}.egg-info/PKG-INFO", _HEAD_BYTES)
        fields = {match[1]: match[2] for match in _FIELD.finditer(head)}
        if "Version" in fields:
            return normalise(title), {"origin": "editable", "path": target, "version": fields["Version"]}
    return None


def _conda(prefix: str) -> dict[str, Any]:
    """Return what conda installed: Python packages and all else, each with the URL that conda can install again."""
    found: dict[str, Any] = {}
    folder = prefix + "/conda-meta"
    try:
        key = (folder, os.stat(folder).st_mtime_ns)  # noqa: PTH116
        names = sorted(os.listdir(folder)) if key not in _folders else []
    except OSError:
        return found
    for name in names:
        package = _conda_package(folder + "/" + name) if name.endswith(".json") else None
        if package:
            found[normalise(package[0])] = package[1]
    return _folders.setdefault(key, found)


def _conda_package(path: str) -> tuple[str, dict[str, Any]] | None:
    """Read one file of conda-meta by pattern: its list of files makes it megabytes of JSON."""
    text = _read(path, 64 * MAX_JSON_BYTES)
    fields = {match[1]: match[2] for match in _CONDA_FIELD.finditer(text)}
    url, md5 = _CONDA_URL.search(text), _CONDA_MD5.search(text)
    if not url or "name" not in fields:
        return None
    where = url[1] + ("#" + md5[1] if md5 else "")
    return fields["name"], {"origin": "conda", "version": fields.get("version", ""), "url": where}


def _read(path: str, limit: int) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(limit).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return ""


def extend_path() -> None:
    """Put back what `-I` took away, behind everything else: PYTHONPATH and the user's own site-packages."""
    more = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    import site

    if not os.environ.get("PYTHONNOUSERSITE") and sys.prefix == sys.base_prefix:
        more.append(site.getusersitepackages())
    sys.path[:0] = [entry for entry in more if entry not in sys.path]


if __name__ == "__main__":
    extend_path()
    json.dump(probe(), sys.stdout)
