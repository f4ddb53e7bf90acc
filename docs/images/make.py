"""Draw the pictures of docs/howto-plot.md, of runs that this script records in a repository of its own.

python docs/images/make.py FOLDER     where the pictures go: docs/images for those that are committed
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import gitexp
from gitexp.cli import main

SEED = 7
EPOCHS = 120
CLASSES = ["airplane", "bird", "cat", "deer", "dog", "frog", "horse", "ship"]
MODELS = {"resnet18": 0.30, "resnet50": 0.24, "vit-small": 0.27}

PICTURES = {  # name: the arguments of `git exp plot`
    "curves": ["-m", "val_loss", "-w", "params.seed < 3 and params.lr in (0.003, 0.01)", "--log", "y"],
    "smooth": ["-m", "loss,val_acc", "-w", "params.seed = 1 and params.lr = 0.01", "--smooth", "0.9"],
    "groups": ["-m", "val_loss", "-w", "params.lr < 0.03", "--group-by", "params.lr"],
    "scatter": ["-x", "params.dropout", "-y", "metrics.val_acc", "--color", "params.model"],
    "parallel": ["--kind", "parallel", "-x", "params.model,params.lr,params.dropout", "-m", "val_acc"],
    "bar": ["--kind", "bar", "-m", "val_acc", "--group-by", "params.model", "-w", "params.lr = 0.01"],
    "box": ["--kind", "box", "-m", "val_loss", "--group-by", "params.lr"],
    "heatmap": ["--kind", "heatmap", "-x", "params.lr", "-y", "params.model", "-m", "val_acc"],
    "confusion": ["vit-small-lr0.01-s1", "--kind", "confusion"],
    "roc": ["--kind", "roc", "-w", "params.seed = 1 and params.lr = 0.01"],
    "pr": ["vit-small-lr0.01-s1", "--kind", "pr"],
}


def record_all() -> None:
    """Record three models at four learning rates with three seeds each."""
    random = np.random.default_rng(SEED)
    for model in MODELS:
        for lr in (0.001, 0.003, 0.01, 0.03):
            for seed in (1, 2, 3):
                record(random, {"model": model, "lr": lr, "dropout": float(random.integers(0, 9) / 20), "seed": seed})


def record(random: np.random.Generator, params: dict[str, Any]) -> None:
    """Record one training: a noisy loss that falls faster at a higher rate, and less far where that is too high."""
    lr, name = params["lr"], f"{params['model']}-lr{params['lr']:g}-s{params['seed']}"
    best = MODELS[params["model"]] + 0.12 * abs(np.log10(lr / 0.01)) + 0.4 * (params["dropout"] - 0.2) ** 2
    best += random.normal(0, 0.012)
    speed = 60 * lr**0.35 / (1 if params["model"] == "resnet18" else 1.4)
    with gitexp.start_run("cifar", name=name, params=params) as run:
        for step in range(EPOCHS):
            fit = best + (2.1 - best) * np.exp(-speed * step / EPOCHS)
            val = fit + 0.03 * random.normal() + 0.1 * lr * step / EPOCHS
            run.log({"loss": fit * (0.8 + 0.07 * random.normal()), "val_loss": val, "val_acc": 1 - 0.42 * val}, step)
        evaluate(run, random, 3.4 - 4 * best)


def evaluate(run: gitexp.Run, random: np.random.Generator, skill: float) -> None:
    """Log what a classifier of some skill says of 1,600 pictures: it takes cats for dogs."""
    true = random.integers(0, len(CLASSES), 1600)
    scores = random.normal(0, 1, (len(true), len(CLASSES)))
    scores[np.arange(len(true)), true] += skill
    scores[true == 2, 4] += 0.9
    run.log_confusion_matrix(true, scores.argmax(axis=1), labels=CLASSES)
    run.log_roc(true == 2, scores[:, 2] - scores[:, 4], labels=["other", "cat"])
    run.log_pr(true, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), labels=CLASSES)


def draw(target: Path) -> None:
    """Draw all pictures into a folder."""
    for name, arguments in PICTURES.items():
        file = str(target / f"plot-{name}.png")
        if main.run(["-q", "plot", *arguments, "--dpi", "80", "-o", file]):
            sys.exit(f"{name} was not drawn")
        with Image.open(file) as image:  # 128 colours are enough to read it, and a third of the bytes
            image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    os.environ["GITEXP_QUIET"] = "1"
    target = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run(["git", "init", "--quiet"], check=True)
        record_all()
        draw(target)
        os.chdir(target)
