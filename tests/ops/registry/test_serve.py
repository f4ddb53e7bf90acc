"""What an endpoint says of the version that it serves, in the forms that shells and clusters take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitexp.errors import UsageError
from gitexp.ops.registry import models as named
from gitexp.ops.registry import serve
from tests import registry, support

ODD = 'Krähe\'s "best"\u202e $(touch owned) `x`'


@pytest.fixture
def found(project: Path) -> dict[str, Any]:
    registry.register(project, registry.run(project), ODD, framework="light\x1b[2Jgbm 4.5")
    return serve.metadata(*named.version(registry.open(project), f"{ODD}:1"))


def test_a_shell_gets_the_values_exactly_and_runs_nothing(project: Path, found: dict[str, Any]) -> None:
    lines = serve.environment(found, "shell")
    support.write("env.sh", lines)
    done = support.execute(project, "sh", "-c", '. ./env.sh; printf "%s|%s" "$GITEXP_MODEL" "$GITEXP_MODEL_VERSION"')
    assert done.stdout == ODD.replace("\u202e", "\\u202e") + "|1"
    assert not Path("owned").exists()
    assert "\x1b" not in lines
    assert serve.environment(found, "shell", prefix="APP").startswith("export APP=")
    for prefix in ("", "1A", "A B", "A;"):
        with pytest.raises(UsageError):
            serve.environment(found, "shell", prefix=prefix)


def test_kubernetes_gets_labels_that_it_takes_and_annotations_that_are_exact(found: dict[str, Any]) -> None:
    written = yaml.safe_load(serve.environment(found, "k8s"))["metadata"]
    label = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
    assert all(label.fullmatch(value) for value in written["labels"].values()), written["labels"]
    assert written["labels"]["gitexp/version"] == "1"
    assert written["annotations"]["gitexp/model"] == ODD.replace("\u202e", "\\u202e")
    assert written["annotations"]["gitexp/sha256"] == found["sha256"]
    odd = ("chürn", "chörn", "模型", "型模", "a" * 63, "a" * 64, "a" * 64 + "b", "a-", "a", "a" * 62 + ".b")
    labels = [yaml.safe_load(serve.environment({**found, "model": name}, "k8s"))["metadata"]["labels"] for name in odd]
    names = [str(item["gitexp/model"]) for item in labels]
    assert all(label.fullmatch(name) for name in names) and len(set(names)) == len(odd), names
    assert names[4] == "a" * 63 and names[8] == "a"


def test_json_is_the_metadata_itself(found: dict[str, Any]) -> None:
    assert json.loads(serve.environment(found, "json")) == found
    with pytest.raises(UsageError, match="no format 'xml'"):
        serve.environment(found, "xml")
