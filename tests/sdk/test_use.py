"""run.use_artifact: what it finds, where the bytes are, and what the record says of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import gitexp
from gitexp.errors import Ambiguous, Damaged, NotFound
from gitexp.store import objects as large
from gitexp.store import workspace as workspaces
from tests import support

LARGE, SMALL = os.urandom(300_000), b'{"lr": 0.1}'


@pytest.fixture
def made(project: Path, tmp_path: Path) -> gitexp.Run:
    """Return a finished run with a large artifact and a small one, and with some `loss`."""
    large_file, small_file = support.write(tmp_path / "m.pt", LARGE), support.write(tmp_path / "s.json", SMALL)
    with gitexp.start_run("churn", name="lgbm") as run:
        run.log({"loss": 0.5})
        run.log_artifact(large_file, "models/model.pt")
        run.log_artifact(small_file, "models/cfg.json")
    return run


@pytest.mark.parametrize(
    "said",
    [
        "churn/lgbm@models/model.pt", "churn/lgbm:models/model.pt", "{short}:models/model.pt", "@:models/model.pt",
        "@{min:loss}:models/model.pt", "lgbm@models/model.pt", "sha256:{sha256}", "{sha256}", "sha256:{start}",
    ],
)  # fmt: skip
def test_every_way_to_name_an_artifact_finds_it(made: gitexp.Run, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("GITEXP_EXPERIMENT", "churn")
    sha256 = str(next(item for item in gitexp.get_run(made.id).record["artifacts"] if item["size"] > 1000)["sha256"])
    said = said.replace("{short}", made.id[:7]).replace("{sha256}", sha256).replace("{start}", sha256[:12])
    session = gitexp.start_run("eval", name="e") if not said.startswith("@:") else None
    path = (session or made).use_artifact(said) if session else _through_a_later_run(said)
    assert path.name == "model.pt" and path.read_bytes() == LARGE
    if session:
        session.finish()
        (use,) = support.record(".", session.ref, "used.json")
        assert (use["run"], use["artifact"], use["sha256"], use["as"]) == (made.id, "models/model.pt", sha256, said)


def _through_a_later_run(said: str) -> Path:
    with gitexp.start_run("eval", name="later") as run:  # `@` is this run by now
        with pytest.raises(NotFound, match="has no artifact"):
            run.use_artifact(said)
        return run.use_artifact(said.replace("@:", "@~1:"))


def test_a_small_artifact_has_its_hash_and_a_folder_comes_whole(made: gitexp.Run, project: Path) -> None:
    with support.untouched(project), gitexp.start_run("eval") as run:
        assert run.use_artifact("lgbm:models/cfg.json").read_bytes() == SMALL
        folder = run.use_artifact("lgbm:models/")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"model.pt": LARGE, "cfg.json": SMALL}
        assert run.use_artifact("lgbm:models/cfg.json") == folder / "cfg.json"
    first, second = gitexp.get_run(run.id).used
    assert (first["artifact"], len(first["sha256"])) == ("models/cfg.json", 64)
    assert (second["artifact"], "sha256" in second) == ("models/", False)
    assert support.gitexp("fsck").stdout.startswith("all is well")


def test_what_is_read_is_seen_while_the_run_is_live_and_can_be_searched(made: gitexp.Run) -> None:
    with gitexp.start_run("eval", name="e") as run:
        run.use_artifact("lgbm:models/cfg.json")
        assert [use["run"] for use in gitexp.get_run(run.id).used] == [made.id]
        assert [found.id for found in gitexp.runs(where=f"used.run = '{made.id[:7]}'")] == [run.id]
    for where in ("used = 'models/cfg.json'", f"used.sha256 = '{run_sha(run)[:9]}'", f"used.run in ('{made.id}')"):
        assert [found.id for found in gitexp.runs(where=where)] == [run.id]
    assert [found.id for found in gitexp.runs(where="used != 'models/cfg.json'")] == [made.id]


def run_sha(run: gitexp.Run) -> str:
    return str(gitexp.get_run(run.id).used[0]["sha256"])


def test_an_artifact_of_a_run_that_is_still_running_can_be_read(project: Path, tmp_path: Path) -> None:
    with gitexp.start_run("churn", name="first") as first:
        first.log_artifact(support.write(tmp_path / "a.txt", b"early"), "a.txt")
        child = support.python(
            project,
            "import gitexp\nwith gitexp.start_run('eval', name='second') as run:\n"
            f"    print(run.use_artifact('{first.id}:a.txt').read_text())",
            env={"GITEXP_RUN_ID": ""},
        )
    assert child.stdout == "early\n"
    assert gitexp.get_run("eval/second").used[0]["run"] == first.id


def test_several_processes_of_a_run_say_it_once(made: gitexp.Run) -> None:
    with gitexp.start_run("eval") as run:
        run.use_artifact("lgbm:models/cfg.json")
        if (child := os.fork()) == 0:
            run.use_artifact("lgbm:models/cfg.json")
            run.use_artifact("lgbm:models/model.pt")
            os._exit(0)
        os.waitpid(child, 0)
    assert [use["artifact"] for use in gitexp.get_run(run.id).used] == ["models/cfg.json", "models/model.pt"]


def test_a_resumed_run_keeps_what_it_read_before_and_its_own_artifacts_are_no_use(
    made: gitexp.Run, tmp_path: Path
) -> None:
    with gitexp.start_run("eval", name="e") as run:
        run.use_artifact("lgbm:models/cfg.json")
        run.log_artifact(support.write(tmp_path / "ckpt", b"1"), "ckpt")
    with gitexp.start_run(resume=run.id) as again:
        assert again.use_artifact("eval/e:ckpt").read_bytes() == b"1"
        again.use_artifact("lgbm:models/model.pt")
    assert [use["artifact"] for use in gitexp.get_run(run.id).used] == ["models/cfg.json", "models/model.pt"]


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("lgbm:nope.pt", "has no artifact 'nope.pt'", "it has: models/cfg.json, models/model.pt"),
        ("lgbm", "has 2 artifacts: which?", ":models/cfg.json"),
        ("nobody:model.pt", "no run 'nobody'", ""),
        ("sha256:" + "0" * 64, "no run has an artifact of sha256 000000000000…", "gitexp fetch"),
        ("sha256:0000", "no bytes of sha256 0000… are known", "gitexp fetch"),
    ],
)
def test_what_cannot_be_found_is_said_with_what_there_is(made: gitexp.Run, said: str, message: str, hint: str) -> None:
    with gitexp.start_run("eval") as run, pytest.raises(NotFound) as error:
        run.use_artifact(said)
    assert message in error.value.message and hint in error.value.hint


def test_bytes_that_are_not_here_are_named_with_what_brings_them(made: gitexp.Run) -> None:
    workspace = workspaces.open()
    item = next(item for item in gitexp.get_run(made.id).record["artifacts"] if item["size"] > 1000)
    place = large.place(workspace, item["sha256"])
    with gitexp.start_run("eval") as run:
        place.chmod(0o644)
        place.write_bytes(LARGE[:-1])
        with pytest.raises(Damaged, match="are damaged here"):
            run.use_artifact("lgbm:models/model.pt")
        place.unlink()
        with pytest.raises(NotFound) as error:
            run.use_artifact("lgbm:models/model.pt")
    assert error.value.message == f"the bytes of {made.id[:7]}:models/model.pt (300.0 kB) are not in this clone"
    assert error.value.hint == f"gitexp get {made.id[:7]}:models/model.pt"


def test_a_beginning_of_two_hashes_lists_both(project: Path, tmp_path: Path) -> None:
    import hashlib

    texts = [str(number).encode() for number in range(3000)]
    by_start: dict[str, bytes] = {}
    one, other = next(
        (by_start[start], text)
        for text in texts
        if (start := hashlib.sha256(text).hexdigest()[:4]) in by_start or by_start.setdefault(start, text) != text
    )
    with gitexp.start_run("churn") as run:
        run.log_artifact(support.write(tmp_path / "one", one))
        run.log_artifact(support.write(tmp_path / "other", other))
    with gitexp.start_run("eval") as run, pytest.raises(Ambiguous, match="begins 2 hashes"):
        run.use_artifact("sha256:" + hashlib.sha256(one).hexdigest()[:4])
