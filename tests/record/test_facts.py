"""Facts and their fold: what order, duplicates and hostile lines may and may not do."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp import canonical, ids
from gitexp.record import facts
from gitexp.record.author import Author
from tests import support

RUN = "kqzvmxrlopnkqzvm"
ANA = Author("Ana Ruiz", "ana@acme.io")
CHURN = ids.experiment_id("churn")


def make(op: str, *, clock: int = 1, fact_id: str = "k" * 16, kind: str = facts.RUN, **arguments: Any) -> facts.Fact:
    target = RUN if kind == facts.RUN else CHURN
    return facts.Fact(fact_id, kind, target, clock, 1_763_000_000_000, ANA, op, arguments)


def an_id(number: int) -> str:
    return f"{number:016x}".translate(str.maketrans("0123456789abcdef", ids.ALPHABET))


letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
changes = st.one_of(
    st.fixed_dictionaries({"op": st.just("tag"), "key": st.sampled_from("abc"), "value": letters}),
    st.fixed_dictionaries({"op": st.just("untag"), "key": st.sampled_from("abc")}),
    st.fixed_dictionaries({"op": st.sampled_from(["note", "title", "description"]), "text": letters}),
    st.fixed_dictionaries({"op": st.sampled_from(["archive", "unarchive", "favourite", "unfavourite"])}),
    st.fixed_dictionaries({"op": st.just("post"), "values": st.dictionaries(letters, st.floats(), max_size=2)}),
    st.fixed_dictionaries({"op": st.sampled_from(["remove", "undelete", "purge"]), "reason": letters}),
    st.fixed_dictionaries({"op": st.just("verdict"), "key": st.just("reproduced"), "value": letters}),
    st.fixed_dictionaries({"op": st.just("from-the-future"), "anything": st.lists(st.integers())}),
    st.fixed_dictionaries({"op": st.just("tag"), "key": st.integers()}),
)


@st.composite
def lines(draw: st.DrawFn) -> list[bytes]:
    found = []
    for change in draw(st.lists(changes, max_size=12)):
        arguments = {key: value for key, value in change.items() if key != "op"}
        fact_id, clock = an_id(draw(st.integers(0, 20))), draw(st.integers(0, 5))
        found.append(facts.encode_line(make(change["op"], clock=clock, fact_id=fact_id, **arguments)))
    return found


def state(found: list[bytes]) -> str:
    return repr(facts.fold(facts.parse(found)[0]))


def test_a_fact_is_one_canonical_line_that_says_who_and_when() -> None:
    assert facts.encode_line(make("tag", key="owner", value="ana")) == (
        b'{"author":{"email":"ana@acme.io","name":"Ana Ruiz"},"clock":1,"id":"kkkkkkkkkkkkkkkk","key":"owner",'
        b'"op":"tag","run":"kqzvmxrlopnkqzvm","time":"2025-11-13T02:13:20.000Z","value":"ana"}'
    )


def test_the_golden_lines_of_format_1_are_read_and_written_as_they_stand() -> None:
    golden = (support.ROOT / "tests/format/v1/facts.jsonl").read_bytes().splitlines()
    found, damaged = facts.parse(golden)
    assert damaged == 0
    assert [facts.encode_line(fact) for fact in found] == golden
    assert {fact.op for fact in found} >= facts.OPS - {"unfavourite"}
    run = facts.fold(fact for fact in found if fact.kind == facts.RUN)
    bo = Author("Bo Ødegård", "bo@acme.io")
    text = 'first above 0.94; check the calibration\nand the "seed"'
    assert run == facts.State(
        tags={"owner": "ana"},
        untagged=frozenset({"prod"}),
        notes=(facts.Note("kkkkkkkkkkkkkkko", 1_795_184_535_123, bo, text),),
        title="größer",
        description="what it is",
        favourite=True,
        purge=facts.Removal(1_795_184_545_123, bo, "a key"),
        cuts=(facts.Cut(1_795_184_545_123, bo, "a person asked", "keys/id.pem", ("ab" * 32,), {"1" * 40: "2" * 40}),),
        posts={"uplift": 0.02, "users": 3, "worst": -math.inf},
        verdicts={"reproduced": "yes"},
        ignored=1,
    )
    experiment = facts.fold(fact for fact in found if fact.kind == facts.EXPERIMENT)
    assert (experiment.name, experiment.path, experiment.tags) == ("attrition", "churn", {"team": "growth"})


@given(lines(), st.randoms())
def test_the_order_of_lines_and_their_repetition_change_nothing(found: list[bytes], random: Any) -> None:
    shuffled = found + found[: len(found) // 2]
    random.shuffle(shuffled)
    assert state(shuffled) == state(found)


@given(lines(), lines(), lines())
def test_the_union_of_histories_is_commutative_associative_and_idempotent(
    a: list[bytes], b: list[bytes], c: list[bytes]
) -> None:
    assert state(a + b) == state(b + a)
    assert state((a + b) + c) == state(a + (b + c))
    assert state(a + a) == state(a)


@given(lines())
def test_a_line_that_is_read_and_written_again_is_the_same_line(found: list[bytes]) -> None:
    assert [facts.encode_line(facts.decode_line(line)) for line in found] == found


@given(st.binary(max_size=200))
def test_any_bytes_are_a_fact_or_a_damaged_line(data: bytes) -> None:
    found, damaged = facts.parse(data.split(b"\n"))
    facts.fold(found)
    assert len(found) + damaged <= data.count(b"\n") + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | letters, lambda x: st.lists(x) | st.dictionaries(letters, x)
)


@given(
    st.sampled_from(sorted(facts.OPS)),
    st.dictionaries(st.sampled_from(["key", "value", "text", "values", "name", "with", "reason"]), JSON),
)
def test_arguments_of_any_kind_are_folded_or_ignored(op: str, arguments: dict[str, Any]) -> None:
    folded = facts.fold([make(op, **arguments)])
    assert folded.ignored in (0, 1)


DAMAGED = [
    ("not JSON", b"hello"),
    ("cut short", facts.encode_line(make("archive"))[:-3]),
    ("a list", b"[1]"),
    (
        "no target",
        b'{"author":{"email":"","name":""},"clock":1,"id":"kkkkkkkkkkkkkkkk","op":"archive","time":"2025-01-01"}',
    ),
    ("two targets", facts.encode_line(make("archive", experiment=CHURN))),
    ("a clock that nothing could follow", facts.encode_line(make("archive", clock=2**60))),
    ("a clock before all", facts.encode_line(make("archive", clock=-1))),
    ("a clock that is true", facts.encode_line(make("archive", clock=True))),
    ("a fact id with other letters", facts.encode_line(make("archive", fact_id="a" * 16))),
    ("not UTF-8", facts.encode_line(make("note", text="x")).replace(b'"x"', b'"\xff"')),
    ("over 128 KiB", facts.encode_line(make("archive"))[:-1] + b',"pad":"' + b"x" * 140_000 + b'"}'),
    ("nested beyond the stack", b"[" * 60_000),
]


@pytest.mark.parametrize(("what", "line"), DAMAGED, ids=[what for what, _ in DAMAGED])
def test_a_damaged_line_is_counted_and_the_others_still_count(what: str, line: bytes) -> None:
    found, damaged = facts.parse([line, facts.encode_line(make("title", text="fine")), b"", b"  "])
    assert damaged == 1
    assert facts.fold(found).title == "fine"


def test_a_fact_too_long_for_a_line_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most 131072"):
        facts.encode_line(make("note", text="x" * 140_000))


def test_unknown_ops_and_unknown_keys_are_kept_and_ignored() -> None:
    fact = make("levitate", height=3)
    assert facts.decode_line(facts.encode_line(fact)) == fact
    folded = facts.fold([fact, make("tag", fact_id="l" * 16, key="a", value="", colour="red")])
    assert (folded.tags, folded.ignored) == ({"a": ""}, 1)


def test_the_logical_clock_decides_and_a_wrong_wall_clock_does_not() -> None:
    late = facts.Fact(
        "k" * 16, facts.RUN, RUN, 1, 9_999_999_999_999, ANA, "title", {"text": "first said, clock in 2286"}
    )
    early = facts.Fact("l" * 16, facts.RUN, RUN, 2, 0, ANA, "title", {"text": "said after it, clock in 1970"})
    assert facts.fold([early, late]).title == "said after it, clock in 1970"


def test_an_untagged_key_hides_the_tag_of_the_record() -> None:
    folded = facts.fold([make("untag", key="old"), make("tag", fact_id="l" * 16, key="new", value="1")])
    assert folded.tags_over({"old": "x", "kept": "y"}) == {"kept": "y", "new": "1"}


def test_numbers_learned_later_may_be_non_finite() -> None:
    line = facts.encode_line(make("post", values={"uplift": float("nan"), "users": 3}))
    assert json.loads(line)["values"] == {"uplift": "NaN", "users": 3}
    assert str(facts.fold([facts.decode_line(line)]).posts) == "{'uplift': nan, 'users': 3}"


def test_undelete_takes_a_removal_back_and_a_purge_stays() -> None:
    gone = [make("remove", reason="wrong data"), make("purge", fact_id="m" * 16, reason="key", clock=1)]
    folded = facts.fold([*gone, make("undelete", fact_id="l" * 16, clock=2)])
    assert folded.removal is None
    assert folded.purge is not None and folded.purge.reason == "key"
    assert folded.removed


def test_an_experiment_keeps_its_first_name_and_path_through_renames() -> None:
    def about(op: str, clock: int, name: str) -> facts.Fact:
        return make(op, kind=facts.EXPERIMENT, clock=clock, fact_id=an_id(clock), name=name)

    folded = facts.fold([about("rename", 2, "attrition"), about("create", 1, "churn"), about("create", 5, "churn")])
    assert (folded.name, folded.names, folded.path) == ("attrition", ("churn", "attrition"), "churn")


def test_a_create_whose_name_does_not_give_the_id_is_ignored() -> None:
    folded = facts.fold(
        [make("create", kind=facts.EXPERIMENT, name="../../etc"), make("create", kind=facts.EXPERIMENT, name="x")]
    )
    assert (folded.name, folded.path, folded.ignored) == (None, None, 1)


def test_two_facts_with_one_id_give_every_reader_the_same_one() -> None:
    one, two = make("title", text="a"), make("title", text="b")
    assert facts.fold([one, two]) == facts.fold([two, one])
    assert canonical.line(facts.fold([one, two]).title) == b'"b"'
