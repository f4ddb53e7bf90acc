"""What the events of a model come to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from gitexp.record import event as events
from gitexp.record import model as folding
from gitexp.record import rules as ruling
from gitexp.record.author import MAX_TEXT, Author
from gitexp.record.event import Event, Logged, Signer
from gitexp.record.model import Model
from gitexp.record.rules import Rules

SHA = "7b" * 32
GUARDED = ruling.read(
    b"""
[registry.teams]
leads = ["ana@x", "bo@x"]
[registry.stages.staging]
[registry.stages.production]
approvals = 2
approvers = ["@leads", "cy@x"]
promoters = ["@leads"]
not_by_author = true
exclusive = true
"""
)
SIGNED = ruling.read(b"[registry.stages.production]\napprovals = 1\nsigned = true\nexclusive = true\n")


class Chain:
    """Events one after the other, as a clone would have them."""

    def __init__(self, rules: Rules = ruling.EMPTY) -> None:
        self.rules, self.entries = rules, list[Logged]()
        self._ids: Callable[[], int] = itertools.count(1).__next__

    def add(
        self, op: str, version: str | None = None, *, by: str = "ana@x", signer: str = "", **arguments: object
    ) -> str:
        number = self._ids()
        oid = f"{number:040x}"
        who = Signer(signer, by, "key", "ssh") if signer else events.NOBODY
        event = Event(op, "churn", 1000 * number, None, version, arguments)
        self.entries.append(Logged(oid, (), event, Author(by.partition("@")[0], by), number, who))
        return oid

    def register(self, *, by: str = "dev@x", signer: str = "", sha256: str = SHA, **more: object) -> str:
        details = {"run": "kqzvmxrlopnkqzvm", "commit": "a" * 40, "artifact": "model.pt", "size": 3, "sha256": sha256}
        return self.add(events.REGISTER, by=by, signer=signer, **{**details, **more})

    def approve(self, version: str, by: str, *, op: str = events.APPROVE, sha256: str = SHA, **more: object) -> str:
        return self.add(op, version, by=by, sha256=sha256, **more)  # type: ignore[arg-type]  # passed on as they are

    def move(
        self, version: str, stage: str = "production", *, by: str = "ana@x", signer: str = "", **more: object
    ) -> str:
        arguments = {"sha256": SHA, "stage": stage, "from": None, **more}
        return self.add(events.TRANSITION, version, by=by, signer=signer, **arguments)

    def model(self) -> Model:
        return folding.fold(self.entries, lambda commit: self.rules, Model("churn"))


def test_versions_are_numbered_in_their_order() -> None:
    chain = Chain()
    first, second = chain.register(), chain.register()
    chain.add(events.REMOVE, first, reason="wrong data")
    third = chain.register()
    model = chain.model()
    assert [model.versions[id].number for id in (first, second, third)] == [1, 2, 3]
    assert model.by_number(3) is model.latest() is model.versions[third]


def test_without_rules_any_stage_takes_any_version() -> None:
    chain = Chain()
    version = chain.register()
    chain.move(version, "canary")
    assert chain.model().versions[version].stage == "canary"
    assert not chain.model().refused


def test_a_promotion_needs_the_approvals_of_listed_people() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    early = chain.move(version)
    chain.approve(version, "bo@x")
    one = chain.move(version)
    chain.approve(version, "stranger@x")
    chain.approve(version, "dev@x")
    other = chain.move(version)
    chain.approve(version, "CY@x")
    chain.move(version)
    model = chain.model()
    assert model.versions[version].stage == "production"
    assert model.refused[early] == "0 of 2 approvals"
    assert model.refused[one] == "1 of 2 approvals"
    assert "stranger@x not among the approvers" in model.refused[other]


def test_an_author_cannot_approve_the_own_version() -> None:
    chain = Chain(GUARDED)
    version = chain.register(by="bo@x", run_author="cy@x")
    for person in ("ana@x", "bo@x", "cy@x"):
        chain.approve(version, person)
    moved = chain.move(version)
    assert "bo@x is its author; cy@x is its author" in chain.model().refused[moved]


def test_an_approval_is_for_one_version_and_its_bytes() -> None:
    chain = Chain(GUARDED)
    version, other = chain.register(), chain.register(sha256="00" * 32)
    wrong = chain.approve(other, "bo@x")
    chain.approve(version, "bo@x")
    chain.approve(version, "cy@x")
    moved = chain.move(other, sha256="00" * 32)
    model = chain.model()
    assert "sha256" in model.refused[wrong]
    assert model.refused[moved] == "0 of 2 approvals"


def test_the_last_word_of_a_person_counts_and_a_rejection_blocks() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    for person in ("ana@x", "bo@x", "cy@x"):
        chain.approve(version, person)
    chain.approve(version, "cy@x", op=events.REJECT, note="calibration")
    refused = chain.move(version)
    chain.approve(version, "cy@x")
    chain.move(version)
    model = chain.model()
    assert model.refused[refused] == "rejected by cy@x"
    assert model.versions[version].stage == "production"


def test_an_approval_for_one_stage_does_not_count_for_another() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    chain.approve(version, "bo@x", stage="staging")
    chain.approve(version, "cy@x", stage="production")
    moved = chain.move(version)
    assert chain.model().refused[moved] == "1 of 2 approvals"


def test_only_promoters_move_versions_in_and_out() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    chain.approve(version, "bo@x")
    chain.approve(version, "cy@x")
    into = chain.move(version, by="cy@x")
    chain.move(version, by="bo@x")
    out = chain.move(version, "archived", by="dev@x")
    gone = chain.add(events.REMOVE, version, by="dev@x", reason="")
    deprecated = chain.add(events.DEPRECATE, version, by="dev@x", reason="")
    model = chain.model()
    assert set(model.refused) == {into, out, gone, deprecated}
    assert model.versions[version].stage == "production"


def test_an_exclusive_stage_archives_who_was_there() -> None:
    chain = Chain(ruling.read(b"[registry.stages.production]\nexclusive = true\n"))
    first, second = chain.register(), chain.register()
    chain.move(first)
    chain.move(second, **{"from": first})
    model = chain.model()
    assert [item.id for item in model.holders("production")] == [second]
    assert model.versions[first].stage == "archived"


def test_of_two_promotions_decided_apart_the_first_counts() -> None:
    chain = Chain(ruling.read(b"[registry.stages.production]\nexclusive = true\n"))
    first, second, third = chain.register(), chain.register(), chain.register()
    chain.move(first)
    chain.move(second, **{"from": first})
    late = chain.move(third, **{"from": first})
    model = chain.model()
    assert [item.number for item in model.holders("production")] == [2]
    assert model.refused[late] == "decided when production held version 1; it held version 2 by then"


@pytest.mark.parametrize("status", ["none", "bad", "unknown", "expired", "revoked"])
def test_where_signatures_are_asked_for_only_good_ones_count(status: str) -> None:
    signer = "" if status == "none" else status
    chain = Chain(SIGNED)
    version = chain.register(signer="good")
    chain.approve(version, "bo@x", signer=signer)
    unapproved = chain.move(version, signer="good")
    chain.approve(version, "bo@x", signer="good")
    unsigned = chain.move(version, signer=signer)
    chain.move(version, signer="good")
    model = chain.model()
    assert model.refused[unapproved].startswith("0 of 1 approvals")
    assert f"signature of the transition is {status}" in model.refused[unsigned]
    assert model.versions[version].stage == "production"


def test_an_unsigned_registration_could_hide_its_author() -> None:
    chain = Chain(SIGNED)
    version = chain.register()
    chain.approve(version, "bo@x", signer="good")
    moved = chain.move(version, signer="good")
    assert "registration" in chain.model().refused[moved]


def test_a_deprecated_version_enters_no_stage() -> None:
    chain = Chain()
    version = chain.register()
    chain.add(events.DEPRECATE, version, reason="leaks the label")
    moved, archived = chain.move(version), chain.move(version, "archived")
    model = chain.model()
    assert model.refused == {moved: "the version is deprecated"}
    assert archived and model.versions[version].stage == "archived"


def test_stages_that_the_rules_do_not_name_cannot_be_entered() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    moved = chain.move(version, "prod")
    assert chain.model().refused[moved] == "the rules know no stage 'prod': staging, production"


def test_aliases_move_and_go() -> None:
    chain = Chain(GUARDED)
    first, second = chain.register(), chain.register()
    chain.add(events.ALIAS, first, alias="champion")
    chain.add(events.ALIAS, second, alias="champion")
    chain.add(events.ALIAS, first, alias="challenger")
    chain.add(events.ALIAS, None, alias="challenger")
    wrong = [chain.add(events.ALIAS, first, alias=alias) for alias in ("production", "latest", "v3", "7", "a b", "")]
    model = chain.model()
    assert model.aliases == {"champion": second}
    assert set(model.refused) == set(wrong)


def test_tags_notes_and_texts_of_versions_and_of_the_model() -> None:
    chain = Chain()
    version = chain.register(tags={"card": "yes"}, description="first")
    chain.add(events.TAG, version, key="owner", value="ml")
    chain.add(events.UNTAG, version, key="card")
    chain.add(events.TAG, None, key="team", value="")
    chain.add(events.NOTE, version, text="good")
    chain.add(events.DESCRIBE, None, text="Who leaves.")
    chain.add(events.RENAME, name="churn-2")
    model = chain.model()
    found = model.versions[version]
    assert (found.tags, found.description, [note.text for note in found.notes]) == ({"owner": "ml"}, "first", ["good"])
    assert (model.tags, model.description, model.name, model.first) == ({"team": ""}, "Who leaves.", "churn-2", "churn")


def test_a_removed_version_takes_nothing_until_it_is_back() -> None:
    chain = Chain()
    version = chain.register()
    chain.move(version, "production")
    chain.add(events.ALIAS, version, alias="champion")
    chain.add(events.REMOVE, version, reason="wrong")
    refused = chain.move(version)
    chain.add(events.UNDELETE, version, reason="")
    model = chain.model()
    assert set(model.refused) == {refused}
    assert (model.versions[version].stage, model.aliases) == ("none", {})


def test_strange_events_change_nothing_and_say_why() -> None:
    chain = Chain()
    version = chain.register()
    strange = [
        chain.add("explode", version),
        chain.add(events.TAG, "f" * 40, key="a", value="b"),
        chain.add(events.REGISTER, run=3),
        chain.add(events.REGISTER, size=-1),
        chain.add(events.NOTE, version, text="x" * (MAX_TEXT + 1)),
        chain.add(events.RENAME, name="../x"),
        chain.move(version, "UP/down"),
    ]
    chain.entries.append(Logged("e" * 40, (), Event(events.CREATE, "other", 1), Author("a", "a@x"), 1))
    model = chain.model()
    assert set(model.refused) == {*strange, "e" * 40}
    assert len(model.versions) == 1 and model.count == 9


def test_folding_on_is_folding_anew() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    for person in ("bo@x", "cy@x"):
        chain.approve(version, person)
    chain.move(version)
    half = folding.fold(chain.entries[:2], lambda commit: chain.rules, Model("churn"))
    assert folding.fold(chain.entries[2:], lambda commit: chain.rules, half) == chain.model()


def test_only_what_was_removed_is_brought_back() -> None:
    chain = Chain()
    version = chain.register()
    chain.move(version)
    back = chain.add(events.UNDELETE, version, reason="")
    model = chain.model()
    assert model.refused[back] == "version 1 was not removed"
    assert model.versions[version].stage == "production"


def test_who_came_last_is_told_by_the_chain_not_by_claimed_times() -> None:
    chain = Chain()
    first, second = chain.register(), chain.register()
    chain.move(first)
    late = chain.entries[-1]
    chain.entries[-1] = replace(late, event=replace(late.event, time_ms=9_000_000_000_000))
    chain.move(second)
    assert [item.number for item in chain.model().holders("production")] == [2, 1]


def test_an_alias_differs_from_stages_in_more_than_case() -> None:
    chain = Chain(GUARDED)
    version = chain.register()
    named = chain.add(events.ALIAS, version, alias="Production")
    assert chain.model().refused[named] == "Production is a stage"


def test_a_word_of_nobody_counts_for_nothing() -> None:
    rules = ruling.read(b"[registry.stages.production]\napprovals = 1\n")
    chain = Chain(rules)
    version = chain.register()
    chain.approve(version, "")
    early = chain.move(version)
    assert chain.model().refused[early] == "0 of 1 approvals;  names nobody"


@pytest.mark.parametrize("status", ["bad", "unknown", "expired", "revoked", "unchecked"])
def test_a_word_whose_signature_is_not_good_counts_for_nothing_also_where_none_is_asked_for(status: str) -> None:
    chain = Chain(ruling.read(b"[registry.stages.production]\napprovals = 1\n"))
    version = chain.register()
    word = chain.approve(version, "bo@x", signer=status)
    early = chain.move(version)
    refused = chain.model().refused
    assert (refused[word], refused[early]) == (f"its signature is {status}", "0 of 1 approvals")


@pytest.mark.parametrize(
    ("key", "value"), [("tags", 5), ("tags", [1]), ("tags", "ab"), ("commit", "x"), ("size", -1), ("run", 7)]
)
def test_a_registration_of_wrong_types_is_refused(key: str, value: object) -> None:
    chain = Chain()
    version = chain.register(**{key: value})  # type: ignore[arg-type]  # that is the point
    assert list(chain.model().refused) == [version]
