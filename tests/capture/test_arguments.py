"""Params from command lines and files, and the names that they give runs."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitexp.capture import arguments
from gitexp.errors import UsageError
from gitexp.record import params as record_params

LINES: list[tuple[str, dict[str, Any]]] = [
    ("python train.py", {}),
    ("python train.py --lr 0.05", {"lr": 0.05}),
    ("python train.py --lr=0.05 --epochs=3", {"lr": 0.05, "epochs": 3}),
    ("python train.py lr=0.05 optimizer.name=adam +new=1 ++x.y=true ~gone", {
        "lr": 0.05, "optimizer": {"name": "adam"}, "new": 1, "x": {"y": True}}),
    ("python train.py --optimizer.lr 1e-3 --optimizer.name adam", {"optimizer": {"lr": 1e-3, "name": "adam"}}),
    ("python train.py -x 3 -lr 0.1 -v", {"x": 3, "lr": 0.1, "v": True}),
    ("python train.py --amp --no-bias --no_cache --lr 1", {"amp": True, "bias": False, "cache": False, "lr": 1}),
    ("python train.py --no-of-layers 3", {"no_of_layers": 3}),
    ("python train.py --num-leaves 32", {"num_leaves": 32}),
    ("python train.py --tag a --tag b --tag c", {"tag": ["a", "b", "c"]}),
    ("python train.py --layers 64 64 32 --act relu tanh", {"layers": [64, 64, 32], "act": "relu"}),
    ("python train.py --shift -0.5 --low -1e-3 -3", {"shift": -0.5, "low": [-1e-3, -3]}),
    ("python train.py --lr 0.1 -- --not 1", {"lr": 0.1}),
    ("python train.py data.csv out/ --lr 0.1", {"lr": 0.1}),
    ("python train.py --zip 007 --version 1.2.3 --neg -7 --plus +7", {
        "zip": "007", "version": "1.2.3", "neg": -7, "plus": 7}),
    ("python train.py --a True --b false --c null --d None --e none", {
        "a": True, "b": False, "c": None, "d": None, "e": "none"}),
    ("python train.py 'name=\"two words\"' layers=[1,2,3] 'm={a: 1}' empty=", {
        "name": "two words", "layers": [1, 2, 3], "m": "{a: 1}", "empty": ""}),
    ("python train.py --url https://h/x?a=b --file a=b/c", {"url": "https://h/x?a=b", "file": True, "a": "b/c"}),
    ("python train.py --a 1 --a.b 2", {"a": {"": 1, "b": 2}}),
    ("python train.py --api-key abcdef123 --lr 0.1", {"api_key": "[redacted]", "lr": 0.1}),
    ("python -u -X dev -W ignore train.py --lr 0.1", {"lr": 0.1}),
    ("python -m pkg.train --lr 0.1", {"lr": 0.1}),
    ("python -c 'print(1)' --lr 0.1", {"lr": 0.1}),
    ("/opt/venv/bin/python3.11 -O train.py lr=1", {"lr": 1}),
    ("./train.py --lr 0.1", {"lr": 0.1}),
    ("train --lr 0.1 --mode time", {"lr": 0.1, "mode": "time"}),
    ("torchrun --nproc_per_node 4 --standalone train.py --lr 0.1", {"lr": 0.1}),
    ("torchrun --nproc-per-node=4 -m pkg.train --lr 0.1", {"lr": 0.1}),
    ("python -m torch.distributed.run --nproc_per_node 4 train.py --lr 0.1", {"lr": 0.1}),
    ("accelerate launch --config_file c.yaml --num_processes 2 train.py --lr 0.1", {"lr": 0.1}),
    ("deepspeed --num_gpus 2 train.py --deepspeed ds.json", {"deepspeed": "ds.json"}),
    ("mpirun -np 4 -x PATH python train.py --lr 0.1", {"lr": 0.1}),
    ("srun -N 2 --gres gpu:1 torchrun --nnodes 2 train.py --lr 0.1", {"lr": 0.1}),
    ("uv run --with numpy python train.py --lr 0.1", {"lr": 0.1}),
    ("uv run train.py --lr 0.1", {"lr": 0.1}),
    ("uv run train --lr 0.1 --mode time", {"lr": 0.1, "mode": "time"}),
    ("poetry run python -m pkg.train --lr 0.1", {"lr": 0.1}),
    ("conda run -n ml python train.py --lr 0.1", {"lr": 0.1}),
    ("env OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=0 python train.py --lr 0.1", {"lr": 0.1}),
    ("nice -n 5 python train.py --lr 0.1", {"lr": 0.1}),
    ("bash -e train.sh --lr 0.1 LR=2", {"lr": 0.1, "LR": 2}),
    ("Rscript --vanilla train.R --lr 0.1", {"lr": 0.1}),
    ("python", {}),
    ("torchrun", {}),
    ("python -m", {}),
    ("", {}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[line for line, _ in LINES])
def test_params_are_read_from_a_command_line(line: str, expected: dict[str, Any]) -> None:
    found = arguments.params(shlex.split(line))
    assert found == expected
    assert repr(found) == repr(expected)  # 1, 1.0 and True are equal, and not the same param


def test_numbers_no_float_can_hold_stay_text() -> None:
    assert arguments.value("1e999") == "1e999"
    assert arguments.value("9" * 5000) == "9" * 5000


@given(st.lists(st.text(max_size=12) | st.sampled_from(["--", "-", "--a", "a.b=1", "-1", "--a.=", "..=", "python"])))
def test_any_command_line_gives_params_that_can_be_stored(argv: list[str]) -> None:
    record_params.encode(arguments.params(["python", "train.py", *argv]))
    record_params.encode(arguments.params(argv))


FILES = [
    ("p.yaml", "lr: 1e-3\nwd: 1.e-4\nopt:\n  name: adam\nbig: 2E+5\n", {
        "lr": 1e-3, "wd": 1e-4, "opt": {"name": "adam"}, "big": 2e5}),
    ("p.yml", "a: &x [1, 2]\nb: *x\nday: 2026-11-20\n3: three\n", {
        "a": [1, 2], "b": [1, 2], "day": "2026-11-20", "3": "three"}),
    ("p.json", '\ufeff{"lr": 0.1, "flag": true, "none": null}', {"lr": 0.1, "flag": True, "none": None}),
    ("p.toml", "lr = 0.1\n[opt]\nname = 'adam'\n", {"lr": 0.1, "opt": {"name": "adam"}}),
    ("empty.yaml", "", {}),
    ("p.yaml", "db:\n  password: hunter2\n  url: postgres://u:pw@h/d\n", {
        "db": {"password": "[redacted]", "url": "postgres://u:[redacted]@h/d"}}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "expected"), FILES)
def test_params_are_read_from_a_file(tmp_path: Path, file: str, text: str, expected: dict[str, Any]) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert arguments.from_file(tmp_path / file) == expected


BAD_FILES = [
    ("p.yaml", b"a: [1\n", "does not parse"),
    ("p.yaml", b"a: !!python/object/apply:os.system [ls]\n", "does not parse"),
    ("p.yaml", b"---\na: 1\n---\nb: 1\n", "does not parse"),
    ("p.json", b"{", "does not parse"),
    ("p.json", b"[" * 100_000, "does not parse"),
    ("p.toml", b"a =", "does not parse"),
    ("p.json", b"\xff\xfe", "does not parse"),
    ("p.json", b"[1, 2]", "is no mapping"),
    ("p.yaml", b"just text", "is no mapping"),
    ("p.ini", b"[a]", "unknown kind"),
    ("p", b"", "unknown kind"),
    ("p.json", b" " * (arguments.MAX_FILE_BYTES + 1), "is over 10 MB"),
    ("p.yaml", b"a: &a [1,2,3,4,5,6,7,8,9,10]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 10)) for c in range(97, 106)), "holds more than"),
    ("p.yaml", b"a: &a [*a]\n", "holds more than"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "data", "problem"), BAD_FILES)
def test_a_bad_params_file_is_refused_by_name(tmp_path: Path, file: str, data: bytes, problem: str) -> None:
    (tmp_path / file).write_bytes(data)
    with pytest.raises(UsageError, match=problem) as caught:
        arguments.from_file(tmp_path / file)
    assert str(tmp_path / file) in caught.value.message
    assert caught.value.hint


def test_a_missing_params_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        arguments.from_file(tmp_path / "none.yaml")


NAMES = [
    ("--lr 0.05 --num-leaves 32", "lr0.05-leaves32"),
    ("--learning-rate 1e-5 --batch_size 64 --amp --no-bias", "lr1e-05-bs64-amp-no-bias"),
    ("model=resnet50 optimizer.name=adam", "resnet50"),
    ("--optimizer adam --seed 3", "adam-seed3"),
    ("--data /tmp/x.csv --out out --device cuda --epochs 3", "epochs3"),
    ("--a 1 --b 2 --c 3 --d 4 --e 5", "a1-b2-c3-d4"),
    ("--data x.csv", None),
    ("--token abcdefg1", None),
    ("--text 'a long sentence with spaces' --layers 1 2", None),
    ("", None),
]


@pytest.mark.parametrize(("line", "expected"), NAMES)
def test_a_run_is_named_after_what_was_chosen(line: str, expected: str | None) -> None:
    assert arguments.name(arguments.params(["train.py", *shlex.split(line)])) == expected


def test_a_name_stays_short_whatever_the_params() -> None:
    assert len(arguments.name({f"a{n}" * 8: n for n in range(50)}) or "") <= arguments.MAX_NAME
    assert arguments.name({"x": math.nan}) == "xnan"
