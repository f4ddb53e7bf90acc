"""What git says of a transfer, read as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git import discover, stock, transport
from gitexp.git.transport import Result
from tests import support

OUT = """\
To /srv/origin.git
*\t0123:refs/experiments/churn/a-kkkkkkk\t[new reference]
 \trefs/x/b:refs/experiments/churn/b-lllllll\t01234..56789
=\trefs/x/c:refs/experiments/churn/c-mmmmmmm\t[up to date]
-\t:refs/experiments/churn/d-nnnnnnn\t[deleted]
!\t0123:refs/notes/experiments\t[rejected] (fetch first)
!\t0123:refs/experiments/churn/e-ooooooo\t[remote rejected] (hook declined)
!\t0123:refs/experiments/churn/f-ppppppp\t[remote rejected] (cannot lock ref 'x': is at 1 but expected 2)
Done
"""


def test_each_line_of_a_push_says_what_became_of_a_ref() -> None:
    found = {
        result.ref.split("/")[-1]: (result.status, result.reason, result.behind) for result in stock.parse_push(OUT)
    }
    assert found == {
        "a-kkkkkkk": ("new", "", False),
        "b-lllllll": ("updated", "", False),
        "c-mmmmmmm": ("current", "", False),
        "d-nnnnnnn": ("deleted", "", False),
        "experiments": ("rejected", "fetch first", True),
        "e-ooooooo": ("rejected", "hook declined", False),
        "f-ppppppp": ("rejected", "cannot lock ref 'x': is at 1 but expected 2", True),
    }


def test_a_listing_takes_only_what_was_asked_for() -> None:
    oid = "0" * 39 + "1"
    text = "".join(
        f"{oid}\t{ref}\n" for ref in ("refs/experiments/a/b", "refs/other/refs/experiments/a", "refs/notes/experiments")
    )
    patterns = ["refs/experiments/*", "refs/notes/experiments"]
    listing = stock.parse_listing(f"warning\n{text}torn".encode(), patterns)
    assert listing == {"refs/experiments/a/b": oid, "refs/notes/experiments": oid}


def test_a_server_that_refuses_is_quoted(project: Path, bare: Path) -> None:
    support.write(bare / "hooks/pre-receive", '#!/bin/sh\necho "no space for experiments" >&2\nexit 1\n').chmod(0o755)
    repo = discover.find(project)
    head = support.git(project, "rev-parse", "HEAD")
    (result,) = transport.push(repo, "origin", [f"{head}:refs/experiments/a/b"])
    assert result == Result("refs/experiments/a/b", "rejected", "pre-receive hook declined: no space for experiments")


def test_a_lease_replaces_only_what_it_names(project: Path, bare: Path) -> None:
    repo, ref = discover.find(project), "refs/experiments-live/a"
    first = support.git(project, "rev-parse", "HEAD")
    second = support.commit(project, "second")
    transport.push(repo, "origin", [f"{second}:{ref}"], leases={ref: ""})
    (refused,) = transport.push(repo, "origin", [f"{first}:{ref}"], leases={ref: first})
    assert refused.behind
    (done,) = transport.push(repo, "origin", [f"{first}:{ref}"], leases={ref: second})
    assert done.status == "updated"


@pytest.mark.parametrize(
    ("refspec", "warned"),
    [
        ("+refs/heads/*:refs/remotes/origin/*", False),
        ("refs/experiments/*:refs/experiments/*", True),
        ("+refs/*:refs/*", True),
        ("+refs/notes/*:refs/notes/*", True),
    ],
)
def test_refspecs_with_which_a_prune_deletes_runs_are_found(project: Path, refspec: str, warned: bool) -> None:
    support.git(project, "config", "remote.origin.url", "x")
    support.git(project, "config", "remote.origin.fetch", refspec)
    assert bool(transport.pruning_refspecs(discover.find(project))) == warned


def test_the_address_of_a_push_counts(project: Path) -> None:
    support.git(project, "remote", "add", "origin", "https://example.com/a.git")
    support.git(project, "remote", "add", "dotted.name", "https://example.com/b.git")
    support.git(project, "config", "remote.origin.pushurl", "ssh://example.com/a.git")
    addresses = transport.names(discover.find(project))
    assert addresses == {"origin": "ssh://example.com/a.git", "dotted.name": "https://example.com/b.git"}


def test_gits_own_progress_reaches_the_terminal_and_the_result_is_whole(
    project: Path, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = support.commit(project, "more", data__txt="x" * 1000)
    options = transport.Options(progress=True)
    (result,) = transport.push(discover.find(project), "origin", [f"{head}:refs/experiments/a/b"], options=options)
    assert result.status == "new"
    assert "Writing objects: 100%" in capsys.readouterr().err
    transport.fetch(discover.find(project), "origin", ["refs/experiments/*:refs/gitexp/incoming/*"], options=options)
    assert "incoming" not in capsys.readouterr().err
