"""What MLflow's own SQL store accepts, refuses and returns, this store does too: both are asked the same."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import ExperimentTag, Metric, Param, RunStatus, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from packaging.version import Version

from gitexp.integrations.mlflow import hold, store

Store = Any
Case = Callable[[Store], Any]
CASES: list[Case] = []
OLDER = Version(mlflow.__version__) < Version("3.17")
LATER = {  # what an older MLflow's own store does otherwise, where this store does what the newest one does
    "create_and_read": "the tags of an experiment were shorter in MLflow's own checks than in its database",
    "metrics": "the same point that is no number, sent twice, broke a constraint of the database",
    "filters": "no filter knew IS NULL",
    "refuses_tags_that_lead_out_of_an_experiment": "the keys of an experiment's first tags were not checked",
    "refuses_long_tags_of_an_experiment": "nor the lengths of their values",
    "refuses_an_empty_new_name_of_an_experiment": "the new name of an experiment was not checked",
    "refuses_a_time_with_a_fraction": "times could be compared with fractions",
}
_clock = itertools.count(1_700_000_000_000, 1000)


def case(function: Case) -> Case:
    CASES.append(function)
    return function


def sql_store(path: Path) -> Store:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(f"sqlite:///{path}", str(path.parent / "artifacts"))


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Store]]:
    """Return what empties the one store of MLflow's that there is: making one takes long, its database seconds."""
    path = tmp_path_factory.mktemp("sql") / "mlflow.db"
    made = sql_store(path)
    made.engine.dispose()
    empty = path.read_bytes()

    def again() -> Store:
        made.engine.dispose()
        path.write_bytes(empty)
        return made

    yield again
    made.engine.dispose()


@pytest.fixture
def stores(emptied: Callable[[], Store], tracking: str) -> tuple[Store, Store]:
    return emptied(), store.of(tracking)


def outcome(function: Case, given: Store) -> Any:
    """Return what a case returns or raises, ids replaced by their order."""
    try:
        found = ("returned", function(given))
    except MlflowException as error:
        found = ("raised", f"{error.error_code}: {error.message}")
    names: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return names.setdefault(match[0], f"<id {len(names)}>")

    text = re.sub(r"with id=\S+ exists", "with id=<experiment> exists", json.dumps(found, default=str, sort_keys=True))
    text = re.sub(r"\b([0-9a-f]{32}|[k-z]{16})\b", numbered, text)
    text = re.sub(r" Error: \(.*", '"]', text)  # of the database itself
    return json.loads(text)


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
def test_it_does_what_mlflows_own_store_does(function: Case, stores: tuple[Store, Store]) -> None:
    if OLDER and function.__name__ in LATER:
        pytest.skip(LATER[function.__name__])
    theirs, ours = stores
    wanted, found = outcome(function, theirs), outcome(function, ours)
    assert found == wanted
    assert wanted[0] == ("raised" if function.__name__.startswith("refuses") else "returned"), wanted


def run(given: Store, experiment: str = "0", name: str = "", tags: dict[str, str] | None = None) -> str:
    listed = [RunTag(key, value) for key, value in (tags or {}).items()]
    return str(given.create_run(experiment, "ana", next(_clock), listed, name or "a run").info.run_id)


def point(key: str, value: Any, time: Any = 1, step: Any = 0) -> Metric:
    return Metric(key, value, time, step)


def data(given: Store, run_id: str) -> Any:
    found = given.get_run(run_id).data
    tags = {key: value for key, value in found.tags.items() if key != "mlflow.user"}
    return [dict(sorted(part.items())) for part in (found.metrics, found.params, tags)]


def info(found: Any) -> Any:
    return found.status, found.end_time, found.lifecycle_stage, found.run_name, found.start_time is not None


def history(given: Store, run_id: str, key: str, **more: Any) -> Any:
    found = given.get_metric_history(run_id, key, **more)
    return [(item.value, item.timestamp, item.step) for item in found], bool(found.token)


def refusing(*calls: Callable[[Store], Any], **named: Callable[[Store], Any]) -> None:
    numbered = {f"{call.__code__.co_firstlineno}_{number}": call for number, call in enumerate(calls)}
    for name, call in {**numbered, **named}.items():
        call.__name__ = f"refuses_{name}"
        case(call)


# Experiments


@case
def default_experiment(given: Store) -> Any:
    found = given.get_experiment("0")
    given.create_experiment("later")
    names = [item.name for item in given.search_experiments()]
    return found.name, found.lifecycle_stage, found.tags, names, given.get_experiment_by_name("Default").experiment_id


@case
def create_and_read(given: Store) -> Any:
    key = given.create_experiment("churn", tags=[ExperimentTag("a", "1"), ExperimentTag("b", "x" * 20_000)])
    found = given.get_experiment(key)
    assert found.creation_time > 0 and found.last_update_time >= found.creation_time
    by_name = given.get_experiment_by_name("churn")
    return found.name, found.tags, by_name.experiment_id == key, given.get_experiment_by_name("nobody")


@case
def names_of_all_kinds(given: Store) -> Any:
    names = ["/Users/ana@acme.io/churn", "a//b", "..", "x" * 500, "tab\there", "größe 1", "Default2", "a", "a~1", " a "]
    keys = [given.create_experiment(name) for name in names]
    assert len(set(keys)) == len(names)
    return [given.get_experiment(key).name for key in keys], [given.get_experiment_by_name(name).name for name in names]


@case
def delete_and_restore(given: Store) -> Any:
    key = given.create_experiment("churn")
    run_id = run(given, key)
    given.delete_experiment(key)
    gone = given.get_experiment(key).lifecycle_stage, given.get_run(run_id).info.lifecycle_stage
    listed = [
        len(given.search_experiments(view)) for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    ]
    given.restore_experiment(key)
    return gone, listed, given.get_experiment(key).lifecycle_stage, given.get_run(run_id).info.lifecycle_stage


@case
def rename(given: Store) -> Any:
    key = given.create_experiment("one")
    given.rename_experiment(key, "/two")
    given.rename_experiment(key, "/three")
    again = given.create_experiment("one")
    assert again != key
    return given.get_experiment(key).name, given.get_experiment_by_name("one").experiment_id == again


@case
def experiment_tags(given: Store) -> Any:
    key = given.create_experiment("churn")
    for value in ("1", "1", "2"):
        given.set_experiment_tag(key, ExperimentTag("a", value))
    given.set_experiment_tag(key, ExperimentTag("mlflow.note.content", "words"))
    given.set_experiment_tag(key, ExperimentTag("gone", "x"))
    given.delete_experiment_tag(key, "gone")
    return given.get_experiment(key).tags


def _some(given: Store) -> list[str]:
    keys = [given.create_experiment(name, tags=[ExperimentTag("k", name)]) for name in ("Alpha", "alpine", "beta")]
    given.create_experiment("bare")
    return keys


def _found(given: Store, *filters: str | None, **more: Any) -> Any:
    return [sorted(item.name for item in given.search_experiments(filter_string=text, **more)) for text in filters]


@case
def search_experiments(given: Store) -> Any:
    _some(given)
    return _found(
        given, None, "name = 'beta'", "name != 'beta'", "name LIKE 'al%'", "name ILIKE 'al%'",
        "attribute.name LIKE '%a'",
        "tag.k = 'beta'", "tags.k != 'beta'", "tags.k LIKE 'A%'", "tags.`k` ILIKE 'A%'", "tags.k IS NULL",
        "tags.k IS NOT NULL", "creation_time > 0", "last_update_time < 5", "name LIKE 'a%' AND tags.k = 'alpine'",
    )  # fmt: skip


@case
def search_experiments_in_order_and_pages(given: Store) -> Any:
    _some(given)
    one = given.search_experiments(order_by=["name"], max_results=2)
    two = given.search_experiments(order_by=["name"], max_results=2, page_token=one.token)
    rest = given.search_experiments(order_by=["name"], max_results=2, page_token=two.token)
    down = given.search_experiments(order_by=["attribute.name DESC"])
    return [[item.name for item in found] for found in (one, two, rest, down)], rest.token


refusing(
    lambda s: s.create_experiment(""),
    lambda s: s.create_experiment(None),
    lambda s: s.create_experiment(12),
    lambda s: s.create_experiment("x" * 501),
    lambda s: s.create_experiment("Default"),
    lambda s: [s.create_experiment("twice"), s.create_experiment("twice")],
    lambda s: s.create_experiment("x", artifact_location="s3://" + "b" * 3000),
    lambda s: s.get_experiment("99"),
    lambda s: s.delete_experiment("99"),
    lambda s: s.restore_experiment(s.create_experiment("active")),
    lambda s: s.rename_experiment("99", "x"),
    lambda s: s.set_experiment_tag("99", ExperimentTag("a", "1")),
    lambda s: s.delete_experiment_tag("0", "nobody"),
    lambda s: s.search_experiments(max_results=0),
    lambda s: s.search_experiments(max_results=50_001),
    lambda s: s.search_experiments(max_results=None),
    lambda s: s.search_experiments(filter_string="name > 'a'"),
    lambda s: s.search_experiments(filter_string="creation_time LIKE 5"),
    lambda s: s.search_experiments(filter_string="tags.k > 'a'"),
    lambda s: s.search_experiments(filter_string="metrics.x > 5"),
    lambda s: s.search_experiments(order_by=["tags.k"]),
    lambda s: s.search_experiments(page_token="%%%"),
    tags_that_lead_out_of_an_experiment=lambda s: s.create_experiment("x", tags=[ExperimentTag("../bad", "1")]),
    long_tags_of_an_experiment=lambda s: s.create_experiment("x", tags=[ExperimentTag("a", "1" * 20_001)]),
    an_empty_new_name_of_an_experiment=lambda s: s.rename_experiment(s.create_experiment("x"), ""),
    a_time_with_a_fraction=lambda s: s.search_experiments(filter_string="creation_time > 5.5"),
)


@case
def refuses_work_in_deleted_experiments(given: Store) -> Any:
    key = given.create_experiment("gone")
    given.delete_experiment(key)
    found = []
    for call in (
        lambda: given.rename_experiment(key, "x"),
        lambda: given.create_experiment("gone"),
        lambda: given.delete_experiment(key),
        lambda: given.set_experiment_tag(key, ExperimentTag("a", "1")),
    ):
        with pytest.raises(MlflowException) as caught:
            call()
        found.append((caught.value.error_code, caught.value.message.split(" Error:")[0].replace(key, "<key>")))
    raise MlflowException(json.dumps(found).replace(f"id={key} ", "id=<experiment> "))


# Runs


@case
def create_run(given: Store) -> Any:
    created = given.create_run("0", "ana", 1_700_000_000_123, [RunTag("a", "1"), RunTag("long", "x" * 9000)], "named")
    key = created.info.run_id
    return info(created.info), created.info.start_time, data(given, key), info(given.get_run(key).info)


@case
def names_of_runs(given: Store) -> Any:
    names = ["x" * 250, "tab\there", "größe/1", "-dash", " spaces "]
    keys = [run(given, name=name) for name in names]
    tagged = given.create_run("0", "ana", 1, [RunTag(MLFLOW_RUN_NAME, "by tag")], None)
    given.update_run_info(tagged.info.run_id, RunStatus.FINISHED, 5, None)
    return [given.get_run(key).info.run_name for key in keys], given.get_run(tagged.info.run_id).info.run_name


@case
def children(given: Store) -> Any:
    parent = run(given)
    child = run(given, tags={MLFLOW_PARENT_RUN_ID: parent})
    found = given.search_runs(["0"], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent}'", ViewType.ALL)
    return [item.info.run_id == child for item in found]


@case
def the_life_of_a_run(given: Store) -> Any:
    key = run(given)
    seen = [info(given.get_run(key).info)]
    seen.append(info(given.update_run_info(key, RunStatus.FINISHED, 1_800_000_000_000, None)))
    seen.append(info(given.get_run(key).info))
    seen.append(info(given.update_run_info(key, RunStatus.FAILED, 1_800_000_000_001, None)))
    seen.append(info(given.update_run_info(key, None, None, "renamed")))
    seen.append(info(given.get_run(key).info))
    return seen, data(given, key)


@case
def rename_while_running(given: Store) -> Any:
    key = run(given)
    given.update_run_info(key, RunStatus.RUNNING, None, "second")
    seen = [info(given.get_run(key).info)]
    given.set_tag(key, RunTag(MLFLOW_RUN_NAME, "third"))
    seen.append(info(given.get_run(key).info))
    given.update_run_info(key, RunStatus.KILLED, 1_900_000_000_000, None)
    return seen, info(given.get_run(key).info), data(given, key)


@case
def reopened_run(given: Store) -> Any:
    key = run(given)
    given.log_batch(key, [point("loss", 1.0)], [Param("lr", "1")], [RunTag("a", "1")])
    given.update_run_info(key, RunStatus.FINISHED, 1_900_000_000_000, None)
    given.update_run_info(key, RunStatus.RUNNING, None, None)
    status = given.get_run(key).info.status
    given.log_batch(key, [point("loss", 0.5, 2, 1)], [Param("depth", "3")], [RunTag("b", "2")])
    before = data(given, key)
    given.update_run_info(key, RunStatus.FINISHED, 1_900_000_000_500, None)
    return status, before, data(given, key), history(given, key, "loss"), info(given.get_run(key).info)


@case
def written_after_the_end(given: Store) -> Any:
    key = run(given)
    given.log_metric(key, point("loss", 1.0))
    given.update_run_info(key, RunStatus.FINISHED, 1_900_000_000_000, None)
    given.log_metric(key, point("loss", 0.5, 2, 1))
    given.log_metric(key, point("auc", 0.9))
    given.log_param(key, Param("late", "yes"))
    given.set_tag(key, RunTag("t", "1"))
    given.set_tag(key, RunTag("t", "2"))
    given.set_tag(key, RunTag("u", "1"))
    given.delete_tag(key, "u")
    return data(given, key), history(given, key, "loss"), info(given.get_run(key).info)


@case
def delete_and_restore_runs(given: Store) -> Any:
    one, two = run(given), run(given)
    given.update_run_info(one, RunStatus.FINISHED, 1_900_000_000_000, None)
    for key in (one, two):
        given.delete_run(key)
        given.delete_run(key)
    views = (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    listed = [len(given.search_runs(["0"], None, view)) for view in views]
    deleted = sorted(given._get_deleted_runs()) == sorted((one, two)), given._get_deleted_runs(older_than=10**9)
    given.restore_run(one)
    given.restore_run(one)
    return listed, deleted, info(given.get_run(one).info), info(given.get_run(two).info)


@case
def params(given: Store) -> Any:
    key = run(given)
    given.log_param(key, Param("lr", "0.1"))
    given.log_param(key, Param("lr", "0.1"))
    given.log_batch(key, [], [Param("lr", "0.1"), Param("a.b", "1"), Param("a", "2"), Param("a.b.c", "3")], [])
    given.log_param(key, Param("empty", ""))
    given.log_param(key, Param("words", "NaN"))
    given.log_param(key, Param("json", '{"a": [1]}'))
    given.log_param(key, Param("long", "x" * 7000))
    given.log_param(key, Param("ключ/имя: 1", "значение"))
    before = data(given, key)
    given.update_run_info(key, RunStatus.FINISHED, 1_900_000_000_000, None)
    return before, data(given, key) == before


@case
def tags(given: Store) -> Any:
    key = run(given)
    given.set_tag(key, RunTag("a", "1"))
    given.set_tag(key, RunTag("a", "2"))
    given.set_tag(key, RunTag("long", "x" * 9000))
    given.log_batch(key, [], [], [RunTag("b", "1"), RunTag("b", "2"), RunTag(MLFLOW_RUN_NAME, "by batch")])
    given.set_tag(key, RunTag("gone", "1"))
    given.delete_tag(key, "gone")
    given.set_tag(key, RunTag("mlflow.note.content", "words"))
    before = data(given, key)
    given.update_run_info(key, RunStatus.FINISHED, 1_900_000_000_000, None)
    return before, data(given, key) == before, info(given.get_run(key).info)


@case
def metrics(given: Store) -> Any:
    key = run(given)
    for value, time, step in ((1.0, 5, 0), (2.0, 3, 0), (3.0, 4, 1), (2.0, 3, 0), (9, 1, -5), (4.5, 9, 1)):
        given.log_metric(key, point("loss", value, time, step))
    given.log_batch(key, [point("a b/c:d", 1e300), point("big", 2**60), point("loss", 0.25, 10, 7)], [], [])
    given.log_metric(key, point("nan", math.nan))
    given.log_metric(key, point("nan", math.nan))
    seen = [
        str(data(given, key)[0]),
        history(given, key, "loss"),
        str(history(given, key, "nan")),
        history(given, key, "no"),
    ]
    given.update_run_info(key, RunStatus.FINISHED, 1_900_000_000_000, None)
    again = [
        str(data(given, key)[0]),
        history(given, key, "loss"),
        str(history(given, key, "nan")),
        history(given, key, "no"),
    ]
    return seen, again == seen


@case
def histories_in_pages(given: Store) -> Any:
    key = run(given)
    given.log_batch(key, [point("x", float(step), step, step) for step in range(25)], [], [])
    first = given.get_metric_history(key, "x", max_results=10)
    second = given.get_metric_history(key, "x", max_results=10, page_token=first.token)
    third = given.get_metric_history(key, "x", max_results=10, page_token=second.token)
    return [[item.step for item in found] for found in (first, second, third)], third.token


@case
def histories_in_bulk(given: Store) -> Any:
    keys = [run(given), run(given)]
    for key in keys:
        given.log_batch(key, [point("x", float(step), step, step) for step in range(50)], [], [])
    bulk = given.get_metric_history_bulk(sorted(keys), "x", 60)
    steps = given.get_metric_history_bulk_interval_from_steps(keys[0], "x", [3, 4, 99], 10)
    return len(bulk), [item.step for item in steps], given.get_max_step_for_metric(keys[0], "x")


@case
def nothing_of_a_run_that_is_not_there(given: Store) -> Any:
    return history(given, "f" * 32, "x"), given.get_metric_history_bulk(["f" * 32], "x", 5)


MISSING = "f" * 32
refusing(
    lambda s: s.get_run(MISSING),
    lambda s: s.log_metric(MISSING, point("a", 1)),
    lambda s: s.log_param(MISSING, Param("a", "1")),
    lambda s: s.set_tag(MISSING, RunTag("a", "1")),
    lambda s: s.delete_tag(MISSING, "a"),
    lambda s: s.log_batch(MISSING, [], [], []),
    lambda s: s.log_batch("bad id!", [], [], []),
    lambda s: s.update_run_info(MISSING, RunStatus.FINISHED, 5, None),
    lambda s: s.delete_run(MISSING),
    lambda s: s.restore_run(MISSING),
    lambda s: s.create_run("99", "ana", 1, [], "x"),
    lambda s: s.create_run("0", "ana", 1, [RunTag(MLFLOW_RUN_NAME, "one")], "two"),
    lambda s: s.delete_tag(run(s), "nobody"),
    lambda s: s.log_metric(run(s), point(None, 1)),
    lambda s: s.log_metric(run(s), point("a!", 1)),
    lambda s: s.log_metric(run(s), point("../a", 1)),
    lambda s: s.log_metric(run(s), point("a" * 251, 1)),
    lambda s: s.log_metric(run(s), point("a", None)),
    lambda s: s.log_metric(run(s), point("a", "1")),
    lambda s: s.log_metric(run(s), point("a", True)),
    lambda s: s.log_metric(run(s), point("a", 1, -1)),
    lambda s: s.log_metric(run(s), point("a", 1, "now")),
    lambda s: s.log_metric(run(s), point("a", 1, 1, "first")),
    lambda s: s.log_param(run(s), Param("", "1")),
    lambda s: s.log_param(run(s), Param("a//b", "1")),
    lambda s: s.log_param(run(s), Param("a" * 251, "1")),
    lambda s: s.set_tag(run(s), RunTag("a" * 251, "1")),
    lambda s: s.set_tag(run(s), RunTag(None, "1")),
    lambda s: s.log_batch(run(s), [point("a", 1)] * 1001, [], []),
    lambda s: s.log_batch(run(s), [], [Param(f"p{n}", "1") for n in range(101)], []),
    lambda s: s.log_batch(run(s), [], [], [RunTag(f"t{n}", "1") for n in range(101)]),
    lambda s: s.log_batch(run(s), [], [Param("a", "1"), Param("a", "2")], []),
    lambda s: s.log_batch(run(s), [point("a", 1), point("b", None)], [], []),
)


@case
def refuses_another_value_of_a_param(given: Store) -> Any:
    key = run(given)
    given.log_param(key, Param("lr", "0.1"))
    given.log_param(key, Param("lr", "0.2"))


@case
def refuses_other_values_in_a_batch_and_writes_nothing(given: Store) -> Any:
    key = run(given)
    given.log_batch(key, [], [Param("lr", "0.1"), Param("b", "1")], [])
    with pytest.raises(MlflowException) as caught:
        given.log_batch(key, [point("x", 1)], [Param("lr", "0.2"), Param("c", "1")], [RunTag("t", "1")])
    raise MlflowException(f"{caught.value.message} {data(given, key)}")


@case
def refuses_to_write_to_deleted_runs(given: Store) -> Any:
    key = run(given)
    given.delete_run(key)
    found = []
    for call in (
        lambda: given.log_metric(key, point("a", 1)),
        lambda: given.log_param(key, Param("a", "1")),
        lambda: given.set_tag(key, RunTag("a", "1")),
        lambda: given.delete_tag(key, "a"),
        lambda: given.log_batch(key, [point("a", 1)], [], []),
        lambda: given.update_run_info(key, RunStatus.FINISHED, 5, None),
    ):
        with pytest.raises(MlflowException) as caught:
            call()
        found.append((caught.value.error_code, caught.value.message))
    given.restore_run(key)
    raise MlflowException(json.dumps(found))


# Searches


def population(given: Store) -> None:
    """Make runs that differ in all that can be asked."""
    rows: list[tuple[dict[str, str], dict[str, float], dict[str, str], int | None]] = [
        ({"lr": "0.1", "opt": "Adam"}, {"acc": 0.5, "loss": 3.0}, {"team": "red"}, RunStatus.FINISHED),
        ({"lr": "0.01", "opt": "adam"}, {"acc": 0.9}, {"team": "Blue"}, RunStatus.FAILED),
        ({"lr": "1e-3"}, {"acc": math.nan, "loss": 1.0}, {}, RunStatus.FINISHED),
        ({"opt": "sgd", "x.y": "dots"}, {"loss": -2.0}, {"team": "red", "other": ""}, RunStatus.KILLED),
        ({}, {}, {}, None),
    ]
    for number, (params_, metrics_, tags_, status) in enumerate(rows):
        key = run(given, name=f"run {number}", tags=tags_)
        given.log_batch(key, [point(k, v) for k, v in metrics_.items()], [Param(k, v) for k, v in params_.items()], [])
        if status is not None:
            given.update_run_info(key, status, 1_900_000_000_000 + number, None)


def names(found: Any) -> list[str]:
    return [item.info.run_name for item in found]


FILTERS = (
    "metrics.acc > 0.6", "metrics.acc >= 0.9", "metrics.acc != 0.5", "metrics.acc = 0.9", "metrics.loss < 0",
    "metric.loss <= 1 and metrics.acc < 5", "metrics.nobody > 1", "metrics.nobody != 1", "metrics.`acc` < 1",
    "params.lr = '0.1'", "params.lr != '0.1'", "params.lr LIKE '0.0%'", "params.opt ILIKE 'ADAM'",
    "params.opt LIKE 'A%'",
    "param.opt IS NULL", "params.opt IS NOT NULL", "params.`x.y` = 'dots'", "params.nobody IS NULL",
    "params.nobody = '1'",
    "tags.team = 'red'", "tags.team != 'red'", "tag.team ILIKE 'b%'", "tags.team LIKE 'b%'", "tags.team IS NULL",
    "tags.other = ''", "tags.`mlflow.runName` = 'run 1'", "run_name = 'run 2'", "attributes.run_name LIKE 'run%'",
    "status = 'FINISHED'", "attribute.status != 'FINISHED'", "attributes.status = 'RUNNING'", "status LIKE 'F%'",
    "user_id = 'ana'", "start_time > 0", "end_time > 1900000000000", "end_time <= 1900000000001", "created > 5",
    "metrics.acc > 0.1 AND params.opt = 'Adam' AND tags.team = 'red' AND status = 'FINISHED'",
    "dataset.name = 'x'", "datasets.digest IN ('a', 'b')", "run_id IN ('a', 'b')", "run_id NOT IN ('a', 'b')",
)  # fmt: skip


@case
def filters(given: Store) -> Any:
    population(given)
    return {text: sorted(names(given.search_runs(["0"], text, ViewType.ACTIVE_ONLY))) for text in FILTERS}


ORDERS = (
    [], ["metrics.acc"], ["metrics.acc DESC"], ["metrics.loss ASC",
    "start_time ASC"], ["params.lr"], ["params.lr DESC"],
    ["tags.team"], ["tag.team DESC", "metrics.loss"], ["status", "run_name DESC"], ["attributes.end_time DESC"],
    ["start_time"], ["created DESC"], ["metrics.nobody"], ["params.nobody DESC"], ["attribute.run_name"], ["user_id"],
)  # fmt: skip


@case
def orders(given: Store) -> Any:
    population(given)
    return [names(given.search_runs(["0"], None, ViewType.ALL, order_by=order)) for order in ORDERS]


@case
def pages(given: Store) -> Any:
    population(given)
    token, found = None, []
    for _ in range(4):
        page = given.search_runs(["0"], None, ViewType.ALL, max_results=2, page_token=token)
        token = page.token
        found.append((names(page), token is None))
        if token is None:
            break
    return found, names(given.search_runs(["0"], None, ViewType.ALL, max_results=5))


@case
def several_experiments(given: Store) -> Any:
    keys = [given.create_experiment(name) for name in ("a", "a/b")]
    for number, key in enumerate(keys):
        run(given, key, f"in {number}")
    every = names(given.search_runs(keys, None, ViewType.ALL))
    return (
        every,
        names(given.search_runs(keys[:1], None, ViewType.ALL)),
        names(given.search_runs([], None, ViewType.ALL)),
    )


@case
def what_a_search_returns_is_what_get_run_returns(given: Store) -> Any:
    population(given)
    found = []
    for item in given.search_runs(["0"], None, ViewType.ALL):
        same = given.get_run(item.info.run_id)
        found.append(str(item.data.to_dictionary()) == str(same.data.to_dictionary()) and item.info == same.info)
    return found


def _refused(text: str) -> Case:
    return lambda s: [population(s), s.search_runs(["0"], text, ViewType.ALL)]


refusing(
    *(
        _refused(text)
        for text in (
            "metrics.acc LIKE 'x'", "metrics.acc = 'x'", "params.lr > '1'", "params.lr = 1", "tags.team > 'x'",
        "nobody = 'x'",
            "status > 'x'", "start_time LIKE 'x'", "run_id = 5", "metrics.acc > 1 OR metrics.acc < 0",
        "dataset.nobody = 'x'",
            "metrics.acc IS NULL", "status IN ('FINISHED')", "run_id IN ()", "params.lr = '1'; params.lr = '2'", "what",
        )
    ),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, max_results=0),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, max_results=50_001),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, order_by=["nobody"]),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, order_by=["metrics.a", "metrics.a DESC"]),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, order_by=["metrics.a sideways"]),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, order_by=["dataset.name"]),
    lambda s: s.search_runs(["0"], None, ViewType.ALL, page_token="???"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def left() -> Any:
    """Leave the runs that a case did not end."""
    yield
    hold.leave_all()
