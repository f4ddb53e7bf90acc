"""gitexp model as it is typed, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitexp.store import remotes
from tests import recording, registry, sharing, support

IDS = [name + "k" * 9 for name in ("kqzvmxr", "mzrokvu", "tvnqyls")]
NOW = "2026-11-20T15:00:00Z"
ENVIRONMENT = {"packages": {"lightgbm": {"version": "4.5.0"}}}


@pytest.fixture
def three(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with three runs, each with a model."""
    monkeypatch.setenv("GITEXP_NOW", NOW)
    for at, run_id in enumerate(IDS):
        recording.record(
            project,
            f"lr0.{at + 1}",
            run_id=run_id,
            environment=ENVIRONMENT,
            metrics={"val_auc": [0.9 + at / 100], "loss": [0.3 - at / 10]},
            artifacts={"model.txt": b"tree\nversion=v4\n%d" % at},
        )
    return project


@pytest.fixture
def churn(three: Path) -> Path:
    """Return it with a version of each run."""
    for run_id in IDS:
        support.gitexp("model", "register", run_id, "churn")
    return three


def events(name: str = "churn") -> list[str]:
    return [item["what"] for item in support.gitexp("model", "show", name, "--json").json["history"]]


def test_register_says_what_the_version_is_and_does_it_once(three: Path) -> None:
    line = "churn:1 is model.txt of run kqzvmxr (17 bytes, sha256 "
    assert support.gitexp("model", "register", "lr0.1", "churn").stdout.startswith(line)
    again = support.gitexp("model", "register", "lr0.1:model.txt", "churn").stdout
    assert again == "churn:1 is model.txt of run kqzvmxr already; for one more version of it: --again\n"
    done = support.gitexp(
        "model", "register", "lr0.1", "churn", "--again", "-t", "owner=ana", "-m", "two", "--json"
    ).json
    assert (done["version"], done["new"], done["tags"], done["description"]) == (2, True, {"owner": "ana"}, "two")
    support.write("signature.json", '{"inputs": [{"name": "x", "type": "double"}]}')
    done = support.gitexp("model", "register", "lr0.2", "churn", "--signature", "signature.json", "--json").json
    assert done["signature"] == {"inputs": [{"name": "x", "type": "double"}]}
    support.write("signature.json", "[1]")
    support.gitexp("model", "register", "lr0.3", "churn", "--signature", "signature.json", expect=2)
    other = support.gitexp("model", "register", "lr0.3", "Churn")
    assert other.stderr == "gitexp: churn is another model: names that differ by case are two\n"
    assert support.gitexp("model", "register", "lr0.2", "Churn").stderr == ""


def test_ls_of_versions_is_a_table_with_the_metrics_that_matter(churn: Path) -> None:
    support.gitexp("model", "stage", "churn:2", "production")
    support.gitexp("model", "alias", "churn:2", "champion")
    support.gitexp("model", "deprecate", "churn:1")
    assert support.gitexp("model", "ls", "churn").stdout == (
        "churn: 3 versions, production 2\n"
        "\n"
        "VERSION  STAGE       ALIASES   AGE  RUN      val_auc     loss  FRAMEWORK           SIZE\n"
        "      3  -           -          0s  tvnqyls  *0.9200  *0.1000  lightgbm 4.5.0  17 bytes\n"
        "      2  production  champion   0s  mzrokvu   0.9100   0.2000  lightgbm 4.5.0  17 bytes\n"
        "      1  deprecated  -          0s  kqzvmxr   0.9000   0.3000  lightgbm 4.5.0  17 bytes\n"
        "\n"
        "* best: higher val_auc, lower loss (guessed from the name).\n"
    )
    lines = support.gitexp("model", "ls", "churn", "-n", "1").lines
    assert lines[3].split()[0] == "3"
    assert lines[5].startswith("1 of 3 (-n 50, --all).")
    rows = support.gitexp("model", "ls", "--stage", "production", "--json").json
    assert [(row["model"], row["version"], row["aliases"]) for row in rows] == [("churn", 2, ["champion"])]
    assert support.gitexp("model", "ls", "--stage", "production").lines[0] == "production: 1 version"


def test_ls_of_models_says_which_versions_are_where(churn: Path) -> None:
    support.gitexp("model", "create", "fraud/cards", "-m", "card fraud")
    support.gitexp("model", "stage", "churn:2", "production")
    support.gitexp("model", "alias", "churn:3", "champion")
    assert support.gitexp("model", "ls").stdout == (
        "2 models, 3 versions\n"
        "\n"
        "MODEL        VERSIONS  LATEST  STAGES        ALIASES     CHANGED  DESCRIPTION\n"
        "churn               3       3  production 2  champion 3       0s\n"
        "fraud/cards         0       -  -             -                0s  card fraud\n"
    )
    assert [item["name"] for item in support.gitexp("model", "ls", "--json").json] == ["churn", "fraud/cards"]


def test_without_models_ls_says_how_to_get_one(project: Path) -> None:
    told = "0 models, 0 versions\nregister one with: gitexp model register RUN NAME\n"
    assert support.gitexp("model", "ls").stdout == told


def test_numbers_that_may_still_move_are_marked_until_they_are_pushed(churn: Path, bare: Path) -> None:
    lines = support.gitexp("model", "ls", "churn").lines
    assert lines[0] == "churn: 3 versions; 3 not pushed"
    assert [line.split()[0] for line in lines[3:6]] == ["3?", "2?", "1?"]
    assert lines[-1].startswith("? may still move until it is pushed.")
    workspace = sharing.opened(churn)
    tip = support.git(churn, "rev-parse", "refs/models/churn")
    remotes.remember(workspace, remotes.choose(workspace), {"refs/models/churn": tip})
    assert support.gitexp("model", "ls", "churn").lines[0] == "churn: 3 versions"
    support.gitexp("model", "register", "lr0.1", "churn", "--again")
    assert [line.split()[0] for line in support.gitexp("model", "ls", "churn").lines[3:5]] == ["4?", "3"]
    assert support.gitexp("model", "show", "churn:4", "--json").json["fixed"] is False


def test_show_of_a_version_tells_what_it_is_and_what_was_done(churn: Path) -> None:
    code = support.git(churn, "rev-parse", "--short=7", "HEAD")
    support.gitexp("model", "approve", "churn:2", "-m", "looks right")
    support.gitexp("model", "stage", "churn", "2", "production", "-m", "to all")
    found = support.gitexp("model", "show", "churn@production").stdout
    ids = [
        line.split()[1]
        for line in support.git(churn, "log", "--format=e %h", "--abbrev=7", "refs/models/churn").split("\n")
    ]
    sha256 = support.gitexp("model", "show", "churn:2", "--json").json["sha256"]
    assert found == (
        "churn:2                                                            production since 2026-11-20 15:00\n"
        "  registered  2026-11-20 15:00 by Ana Ruiz <ana@acme.io>\n"
        f"  run         mzrokvu churn/lr0.2, by ana@acme.io, code {code}\n"
        "  artifact    model.txt  17 bytes\n"
        f"  sha256      {sha256}\n"
        "  made with   lightgbm 4.5.0\n"
        "  approved    Ana Ruiz <ana@acme.io> 2026-11-20 15:00: looks right\n"
        "  note        Ana Ruiz <ana@acme.io> 2026-11-20 15:00: to all\n"
        f"  event       {ids[4]} in refs/models/churn\n"
        "\n"
        "metrics (2) when it was registered\n"
        "  loss     0.2000  min\n"
        "  val_auc  0.9100  max\n"
        "\n"
        "history (4)\n"
        f"  {ids[4]}  0s  Ana Ruiz  registered 2: model.txt of run mzrokvu, val_auc 0.9100\n"
        f"  {ids[2]}  0s  Ana Ruiz  approved 2: looks right\n"
        f"  {ids[1]}  0s  Ana Ruiz  moved 2 to production\n"
        f"  {ids[0]}  0s  Ana Ruiz  noted on 2: to all\n"
    )


def test_show_of_a_model_tells_its_stages_and_what_they_ask_for(churn: Path) -> None:
    registry.rule(churn, '[registry.stages.production]\napprovals = 2\nrequire = "metrics.val_auc > 0.9"\n')
    lines = support.gitexp("model", "show", "churn").lines
    assert "  production  nobody   (asks for 2 approvals; run: metrics.val_auc > 0.9)" in lines
    assert "  rules       gitexp.toml of main" in lines
    version = support.gitexp("model", "show", "churn:1").lines
    assert "  for production  0 of 2 approvals" in version


def test_refused_events_are_shown_with_their_reason(churn: Path) -> None:
    message = support.git(churn, "log", "-1", "--format=%B", "refs/models/churn")
    told = json.loads(message.partition("\n\n")[2])
    event = {key: told[key] for key in ("format", "model", "rules", "time")}
    event |= {"op": "approve", "sha256": "0" * 64, "stage": None, "note": ""}
    event["version"] = support.git(churn, "rev-parse", "refs/models/churn")
    tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    env = {"GIT_COMMITTER_DATE": "2026-11-20T15:00:00Z", "GIT_AUTHOR_DATE": "2026-11-20T15:00:00Z"}
    forged = support.git(
        churn, "commit-tree", tree, "-p", "refs/models/churn", "-m", "approve it", "-m", json.dumps(event), env=env
    )
    support.git(churn, "update-ref", "refs/models/churn", forged)
    assert "1 event refused (gitexp model log churn)" in support.gitexp("model", "ls", "churn").lines[0]
    shown = support.gitexp("model", "show", "churn:3").lines[-1]
    assert shown.endswith("REFUSED: approved 3: its sha256 is not that of the version")


def test_the_verbs_change_one_thing_each_and_say_it(churn: Path) -> None:
    assert support.gitexp("model", "request", "churn:1", "production", "-m", "please").stdout == (
        "asked for approvals of churn:1 for production\n"
    )
    assert support.gitexp("model", "ls", "churn").lines[0] == "churn: 3 versions; 1 approval asked for"
    assert support.gitexp("model", "approve", "churn", "1", "production").stdout == "approved churn:1 for production\n"
    assert support.gitexp("model", "reject", "churn:1", "production").stdout == "rejected churn:1 for production\n"
    assert support.gitexp("model", "stage", "churn:1", "staging").stdout == "churn:1 is in staging\n"
    assert support.gitexp("model", "stage", "churn:1", "staging").stdout == "churn:1 is in staging already\n"
    assert support.gitexp("model", "stage", "churn:1", "none").stdout == "churn:1 is in no stage\n"
    assert support.gitexp("model", "alias", "churn:1", "old").stdout == "churn@old is 1\n"
    assert support.gitexp("model", "alias", "churn").stdout == "churn@old is 1\n"
    assert support.gitexp("model", "alias", "-d", "churn", "old").stdout == ""
    assert support.gitexp("model", "tag", "churn:1", "owner=ana", "card").stderr == "churn:1: card  owner=ana\n"
    assert support.gitexp("model", "tag", "churn:1").stdout == "card\nowner=ana\n"
    support.gitexp("model", "tag", "-d", "churn:1", "card")
    assert support.gitexp("model", "tag", "churn:1", "--json").json == {"owner": "ana"}
    support.gitexp("model", "note", "churn", "-", input="two\nlines\n")
    assert support.gitexp("model", "note", "churn", "--list").stdout == (
        "Ana Ruiz <ana@acme.io> 2026-11-20 15:00: two\n    lines\n"
    )
    assert support.gitexp("model", "describe", "churn", "who", "will", "leave").stderr == "described churn\n"
    assert support.gitexp("model", "deprecate", "churn:1", "-m", "old").stdout == "deprecated churn:1\n"
    assert (
        support.gitexp("model", "rm", "churn:1", "churn:2", "-n").stdout
        == "would remove churn:1\nwould remove churn:2\n"
    )
    done = support.gitexp("model", "rm", "churn:1", "-m", "leaked")
    assert (done.stdout, done.stderr) == ("removed churn:1\n", "bring back with: gitexp model undelete churn:1\n")
    assert support.gitexp("model", "undelete", "churn:1").stdout == "brought back churn:1\n"
    told = "churn is now called leavers; refs/models/churn stays\n"
    assert support.gitexp("model", "rename", "churn", "leavers").stderr == told
    assert events("leavers")[-1] == "called the model leavers"
    assert len(events("leavers")) == 19


def test_a_dry_run_of_stage_shows_every_gate_and_changes_nothing(churn: Path) -> None:
    registry.rule(churn, "[registry.stages.production]\napprovals = 1\nexclusive = true\n")
    before = support.git(churn, "rev-parse", "refs/models/churn")
    done = support.gitexp("model", "stage", "churn:1", "production", "--dry-run", expect=3)
    assert done.lines[0] == "churn:1 would be in production"
    assert "  not met  approvals: 0 of 1" in done.lines
    support.gitexp("model", "stage", "churn:1", "production", expect=3)
    assert support.git(churn, "rev-parse", "refs/models/churn") == before
    support.gitexp("model", "approve", "churn:1")
    assert support.gitexp("model", "stage", "churn:1", "production", "-n").code == 0


def test_rollback_says_who_is_there_and_who_is_not(churn: Path) -> None:
    registry.rule(churn, "[registry.stages.production]\nexclusive = true\n")
    for number in ("1", "2"):
        support.gitexp("model", "stage", "churn", number, "production")
    assert support.gitexp("model", "rollback", "churn", "production").stdout == (
        "churn:1 is in production\nchurn:2 is archived\n"
    )
    assert support.gitexp("model", "rollback", "churn", "production", expect=4).stderr == (
        "gitexp: no version of churn was in production before\ngitexp model log churn\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nix"], 2, "no command 'model nix'"),
        (["regster"], 2, "did you mean: gitexp model register"),
        (["show", "chrn"], 4, "did you mean: churn"),
        (["stage", "churn", "production"], 2, "which version of churn?"),
        (["stage", "churn:1"], 2, "churn:1 into which stage?"),
        (["stage", "churn:1", "Production!"], 2, "stage 'Production!'"),
        (["ls", "churn:1"], 2, "is a version, not a model"),
        (["approve", "churn"], 2, "which version of churn?"),
        (["approve", "churn:1", "a", "b"], 2, "one stage, not 2"),
        (["alias", "churn:1"], 2, "which alias for churn:1?"),
        (["rm", "churn:7"], 4, "it has 1 to 3"),
        (["rename", "churn", "a:b"], 2, "has ':' or '@'"),
    ],
)
def test_what_cannot_be_meant_says_what_can(churn: Path, words: list[str], code: int, said: str) -> None:
    assert said in support.gitexp("model", *words, expect=code).stderr


def test_hostile_words_of_events_do_not_reach_the_terminal(churn: Path) -> None:
    support.gitexp("model", "note", "churn:1", "\x1b[2Jboo")
    support.gitexp("model", "register", "lr0.2", "churn", "--again", "--framework", "\x1b]0;x\x07")
    for words in (["ls"], ["ls", "churn"], ["show", "churn"], ["show", "churn:1"], ["show", "churn:4"]):
        assert "\x1b" not in support.gitexp("model", *words).stdout


def test_get_writes_one_version_as_cp_would_and_several_apart(churn: Path) -> None:
    done = support.gitexp("model", "get", "churn:1", "--to", "model.txt")
    assert done.stdout == "model.txt (17 bytes)\n"
    assert done.stderr.startswith("churn:1, sha256 ")
    assert Path("model.txt").read_bytes().endswith(b"\n0")
    support.gitexp("model", "get", "churn:1", "churn:latest", "--to", "all")
    written = sorted(str(path) for path in Path("all").rglob("*") if path.is_file())
    assert written == ["all/churn/1/model.txt", "all/churn/3/model.txt"]
    support.gitexp("model", "get", "churn:2", "--to", "model.txt", expect=7)
    support.gitexp("model", "deprecate", "churn:2", "-m", "use 3")
    done = support.gitexp("model", "get", "churn:2", "--to", "model.txt", "--force", "--json")
    assert (done.json["version"], done.json["written"]["size"]) == (2, 17)
    assert done.stderr == "gitexp: churn:2 is deprecated: use 3\n"


def test_env_prints_what_a_shell_can_evaluate(churn: Path) -> None:
    support.gitexp("model", "stage", "churn:2", "production")
    lines = support.gitexp("model", "env", "churn@production").lines
    assert lines[:3] == [
        "export GITEXP_MODEL=churn",
        "export GITEXP_MODEL_VERSION=2",
        "export GITEXP_MODEL_STAGE=production",
    ]
    assert f"export GITEXP_MODEL_RUN={IDS[1]}" in lines
    assert support.gitexp("model", "env", "churn:2", "--format", "json").json["run"] == IDS[1]


def test_log_is_newest_first_and_of_one_version_what_is_about_it(churn: Path) -> None:
    registry.rule(churn, "[registry.stages.production]\nexclusive = true\n")
    support.gitexp("model", "stage", "churn:1", "production")
    support.gitexp("model", "stage", "churn:2", "production", "-m", "better")
    ids = support.git(churn, "log", "--format=%h", "--abbrev=7", "refs/models/churn").split()
    assert support.gitexp("model", "log", "churn", "-n", "3").stdout == (
        "EVENT    AGE  WHO       WHAT\n"
        f"{ids[0]}   0s  Ana Ruiz  noted on 2: better\n"
        f"{ids[1]}   0s  Ana Ruiz  moved 2 to production; 1 archived\n"
        f"{ids[2]}   0s  Ana Ruiz  moved 1 to production\n"
        "\n"
        "3 of 6 events (-n 50, --all).\n"
    )
    lines = support.gitexp("model", "log", "churn:1").lines
    assert [line.split("  ")[-1] for line in lines[1:4]] == [
        "moved 2 to production; 1 archived",
        "moved 1 to production",
        "registered 1: model.txt of run kqzvmxr, val_auc 0.9000",
    ]
    support.gitexp("model", "create", "other")
    lines = support.gitexp("model", "log").lines
    assert lines[0].split() == ["EVENT", "AGE", "MODEL", "WHO", "WHAT"]
    assert lines[-1] == "7 events."
    found = support.gitexp("model", "log", "churn", "--json").json
    assert [item["op"] for item in found[:3]] == ["note", "transition", "transition"]
    assert support.gitexp("model", "log", "--refused", "churn").stdout == "\n0 events.\n"


def test_a_changelog_is_made_from_the_events(churn: Path) -> None:
    code = support.git(churn, "rev-parse", "HEAD")[:7]
    support.gitexp("model", "describe", "churn", "who *will* leave")
    support.gitexp("model", "approve", "churn:2", "-m", "fine <b>")
    support.gitexp("model", "stage", "churn:2", "production")
    support.gitexp("model", "alias", "churn:2", "champion")
    support.gitexp("model", "deprecate", "churn:1", "-m", "use 2")
    support.gitexp("model", "rm", "churn:3")
    lines = support.gitexp("model", "log", "churn", "--changelog").lines
    hashes = [row["sha256"][:12] for row in support.gitexp("model", "ls", "churn", "--json").json]
    assert lines[:4] == ["# churn", "", "who \\*will\\* leave", ""]
    at = lines.index("## 2 (production, champion)")
    assert lines[at + 2 : at + 9] == [
        f"2026-11-20, by Ana Ruiz; `model.txt` (17 bytes, {hashes[0]}); run `mzrokvu` churn/lr0.2; code `{code}`; "
        "lightgbm 4.5.0.",
        "",
        "val\\_auc 0.9100 (+0.01000 over 1, better), loss 0.2000 (-0.1000 over 1, better).",
        "",
        "- 2026-11-20 approved 2, by Ana Ruiz: fine &lt;b&gt;",
        "- 2026-11-20 moved 2 to production, by Ana Ruiz",
        "- 2026-11-20 called 2 champion, by Ana Ruiz",
    ]
    assert "## 3 (removed)" in lines
    assert "## 1 (deprecated)" in lines
    assert "- 2026-11-20 deprecated 1, by Ana Ruiz: use 2" in lines
    support.gitexp("model", "log", "churn:1", "--changelog", expect=2)
    support.gitexp("model", "log", "--changelog", expect=2)


def test_diff_tells_versions_and_their_runs_apart(churn: Path) -> None:
    support.gitexp("model", "stage", "churn:1", "production")
    out = support.gitexp("model", "diff", "churn", "3").stdout
    assert out == support.gitexp("model", "diff", "churn:1", "churn:3").stdout
    assert out == support.gitexp("model", "diff", "churn", "1", ":3").stdout
    lines = out.splitlines()
    assert lines[0] == "A churn:1  production  0s ago  run kqzvmxr"
    assert lines[1] == "B churn:3  -           0s ago  run tvnqyls"
    assert "  stage  production" in out
    assert "better (higher: guessed from the name)" in out
    assert "A churn:2" in support.gitexp("model", "diff", "churn").stdout
    found = support.gitexp("model", "diff", "churn:1", "churn:3", "--json").json
    assert [row["version"] for row in found["versions"]] == [1, 3]
    assert {fact["name"] for fact in found["facts"]} == {"stage", "bytes"}
    assert found["runs"]["metrics"][0]["values"]
    for words, code in ((["churn:1", "2", "3"], 2), (["churn@production"], 2), (["churn:9", "1"], 4)):
        support.gitexp("model", "diff", *words, expect=code)


def test_diff_without_the_runs_holds_what_was_registered_side_by_side(churn: Path) -> None:
    support.write("a.json", '{"inputs": [{"name": "x", "type": "double"}, {"name": "y", "type": "long"}]}')
    support.write("b.json", '{"inputs": [{"name": "x", "type": "float"}, {"name": "z", "type": "long"}]}')
    for run_id, signature in zip(IDS[:2], ("a.json", "b.json"), strict=True):
        support.gitexp("model", "register", run_id, "churn", "--again", "--signature", signature)
    for ref in support.run_refs(churn):
        support.git(churn, "update-ref", "-d", ref)
    support.git(churn, "reflog", "expire", "--expire=now", "--all")
    support.git(churn, "-c", "gc.pruneExpire=now", "gc", "--quiet", "--prune=now")
    lines = support.gitexp("model", "diff", "churn", "4", "5").lines
    assert "  * inputs x: double -> float" in lines
    assert "  - inputs y: long" in lines
    assert "  + inputs z: long" in lines
    assert "  val_auc  0.9000  0.9100  better (higher: guessed from the name)" in lines
    assert lines[-1] == "run kqzvmxr of churn:4 is not in this clone"


def test_the_lines_of_events_name_versions_by_what_cannot_move(churn: Path) -> None:
    version = support.gitexp("model", "show", "churn:2", "--json").json["id"]
    for words in (["approve", "churn:2"], ["stage", "churn:2", "production", "-m", "x"], ["alias", "churn:2", "best"],
                  ["tag", "churn:2", "a"], ["deprecate", "churn:2"]):  # fmt: skip
        support.gitexp("model", *words)
    subjects = support.git(churn, "log", "-6", "--format=%s", "refs/models/churn").splitlines()
    assert all(version[:7] in subject and "churn:2" not in subject for subject in subjects), subjects


CHOSEN = {"metrics", "tags", "aliases", "stages", "approvals", "arguments", "signature", "runs"}


def keys(value: object) -> set[str]:
    """Return the keys of a JSON document but those that people chose."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(keys(inner) for key, inner in value.items() if key not in CHOSEN))


def test_every_key_of_json_is_in_the_reference(churn: Path) -> None:
    for line in ("approve churn:1 -m x", "request churn:1", "note churn:1 x", "note churn x", "alias churn:1 best",
                 "deprecate churn:2", "stage churn:3 production"):  # fmt: skip
        support.gitexp("model", *line.split())
    page = (support.ROOT / "docs/scripting.md").read_text()
    asked = (
        "ls", "ls churn", "show churn", "show churn:1", "log", "diff churn:1 churn:3", "register lr0.1 churn",
        "create x",
        "stage churn:1 staging -n", "approve churn:1", "get churn:1 --to out/", "rm churn:2", "undelete churn:2",
        "env churn:1 --format json",
    )  # fmt: skip
    missing = set()
    for line in asked:
        words = line.split() if "env" in line else [*line.split(), "--json"]
        missing |= {f"{line}: {key}" for key in keys(support.gitexp("model", *words).json) if f"`{key}`" not in page}
    assert sorted(missing) == []


def test_a_chain_that_cannot_be_read_hides_no_other_and_is_said(churn: Path) -> None:
    support.gitexp("model", "rename", "churn", "leavers")
    support.git(churn, "update-ref", "refs/models/broken", "HEAD")
    done = support.gitexp("model", "ls")
    assert done.lines[0] == "1 model, 3 versions"
    assert done.stderr.startswith("gitexp: refs/models/broken cannot be read: ")
    assert support.gitexp("model", "ls", "leavers").lines[0] == "leavers: 3 versions"
    assert "did you mean: leavers" in support.gitexp("model", "show", "leaver", expect=4).stderr
    support.gitexp("model", "show", "broken", expect=8)
