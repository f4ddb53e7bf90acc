"""Logged models: models as MLflow knows them, made or measured by a run (docs/format.md, "Logged models")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitexp import canonical
from gitexp.errors import Damaged
from gitexp.record import points
from gitexp.record.points import Point

FOLDER = "models"  # artifacts of a logged model are below models/<id>/
_PLAIN = ("name", "experiment", "type", "status", "message", "source", "created", "updated", "deleted")


@dataclass(slots=True)
class Model:
    """A logged model: what was said of it last; `created` and `updated` in ms, `source` the run that it names."""

    id: str
    name: str = ""
    experiment: str = ""
    type: str = ""
    status: str = ""
    message: str = ""
    source: str = ""
    created: int = 0
    updated: int = 0
    deleted: bool = False
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the record; what is not known is left out."""
        plain = {key: getattr(self, key) for key in _PLAIN}
        times = {key: canonical.iso(plain[key]) for key in ("created", "updated") if plain[key]}
        return {key: value for key, value in {**plain, **times}.items() if value} | {
            key: value for key, value in (("params", self.params), ("tags", self.tags)) if value
        }

    @classmethod
    def from_json(cls, model_id: str, value: Mapping[str, Any]) -> Model:
        """Read it; raises ValueError, TypeError or AttributeError."""
        found = cls(model_id)
        for key in _PLAIN:
            if key in value:
                said = value[key]
                setattr(found, key, canonical.from_iso(said) if key in ("created", "updated") else said)
        found.params, found.tags = (
            {str(name): str(text) for name, text in value.get(key, {}).items()} for key in ("params", "tags")
        )
        return found


Measured = tuple[str, str, str, str]  # model, metric, name and digest of the dataset ("" where there is none)


@dataclass(slots=True)
class Logged:
    """What one run says of logged models: those it made, those it read and put out, and what it measured of them."""

    models: dict[str, Model] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[tuple[str, int]] = field(default_factory=list)
    metrics: dict[Measured, dict[Point, None]] = field(default_factory=dict)  # each point once

    def __bool__(self) -> bool:
        """Say whether anything is said."""
        return bool(self.models or self.inputs or self.outputs or self.metrics)

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event of a journal; raises KeyError, TypeError or ValueError for one that makes no sense."""
        if "model" in event:
            self._take_model(str(event["model"]), event)
        if "input" in event and event["input"] not in self.inputs:
            self.inputs.append(str(event["input"]))
        if "output" in event and (output := (str(event["output"]), int(event["step"]))) not in self.outputs:
            self.outputs.append(output)
        for row in event.get("points", ()):
            self.add_point(_measured(row), _point(row["metric"], row["point"]))

    def _take_model(self, model_id: str, event: Mapping[str, Any]) -> None:
        model = self.models.setdefault(model_id, Model(model_id))
        for key in _PLAIN:
            if key in event.get("set", {}):
                setattr(model, key, event["set"][key])
        model.params.update(event.get("params", {}))
        model.tags.update(event.get("tags", {}))
        for key in event.get("untag", ()):
            model.tags.pop(key, None)

    def add_point(self, key: Measured, point: Point) -> None:
        """Add a measured point; the same one again adds nothing."""
        self.metrics.setdefault(key, {})[point] = None

    def copy(self) -> Logged:
        """Return the same, to be added to."""
        return from_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the content of logged-models.json; what is empty is left out."""
        whole: dict[str, Any] = {
            "models": {model_id: model.to_json() for model_id, model in self.models.items()},
            "inputs": self.inputs,
            "outputs": [{"model": model_id, "step": step} for model_id, step in self.outputs],
            "metrics": [_row(key, found) for key, found in sorted(self.metrics.items())],
        }
        return {key: value for key, value in whole.items() if value}


def from_json(value: Mapping[str, Any]) -> Logged:
    """Read the content of a logged-models.json; raises ValueError, TypeError, KeyError or AttributeError."""
    found = Logged(
        {str(key): Model.from_json(str(key), item) for key, item in value.get("models", {}).items()},
        [str(item) for item in value.get("inputs", ())],
        [(str(item["model"]), int(item["step"])) for item in value.get("outputs", ())],
    )
    for row in value.get("metrics", ()):
        found.metrics[_measured(row)] = dict.fromkeys(_point(row["metric"], text) for text in row["points"])
    return found


def decode(data: bytes) -> Logged:
    """Read logged-models.json; raises Damaged."""
    try:
        return from_json(canonical.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Damaged(f"logged-models.json does not parse: {error}", hint="gitexp fsck") from error


def encode(found: Logged) -> bytes:
    """Return logged-models.json."""
    return canonical.dumps(found.to_json())


def fold(events: Iterable[Mapping[str, Any]], before: Logged | None = None) -> Logged:
    """Return what a journal's events, whoever wrote them, add in the order of their times to what was before."""
    found = before.copy() if before is not None else Logged()
    for event in sorted(events, key=lambda event: int(event["time"])):
        found.take(event)
    return found


def said(model_id: str, metric: str, point: Point, dataset: tuple[str, str] = ("", "")) -> dict[str, Any]:
    """Return one measured point as it stands in an event."""
    named = {key: value for key, value in zip(("dataset", "digest"), dataset, strict=True) if value}
    return {"model": model_id, "metric": metric, "point": _text(point), **named}


def _row(key: Measured, found: Iterable[Point]) -> dict[str, Any]:
    model_id, metric, dataset, digest = key
    named = {name: value for name, value in (("dataset", dataset), ("digest", digest)) if value}
    return {"model": model_id, "metric": metric, **named, "points": [_text(point) for point in found]}


def _measured(row: Mapping[str, Any]) -> Measured:
    return str(row["model"]), str(row["metric"]), str(row.get("dataset", "")), str(row.get("digest", ""))


def _text(point: Point) -> str:
    """Return a point as a line of metrics.csv has it, without its metric."""
    return points.line(point._replace(metric="")).strip("\n,")


def _point(metric: str, text: str) -> Point:
    return points.parse([metric, *text.split(",")])
