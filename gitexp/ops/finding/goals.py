"""Which way a metric is better, which value stands for it, and how that is known: said by the project, or guessed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from gitexp import clock, text
from gitexp.store import config
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.index.compile import Context

GUESSED = "guessed from the name"
AGGREGATES = config.find("summary").choices
_NAMED = 4  # metrics of one origin that a sentence names
_MORE = (
    "acc accuracy auc auroc auprc aupr ap map m_ap precision recall sensitivity specificity fbeta dice iou miou jaccard"
    " r2 score bleu rouge rougel rougelsum meteor ndcg mrr hit hits hitrate reward return returns psnr ssim kappa mcc"
    " correlation pearson spearman throughput likelihood uplift win wins winrate"
)
_LESS = (
    "loss losses error errors err mse rmse mae mape smape rmsle msle nll perplexity ppl bpb bpc wer cer per ter eer"
    " ece fid kid kl kld divergence brier brier_score false_positive false_positives false_negative false_negatives"
    " logloss crossentropy cross_entropy xent hinge latency regret fpr fnr deviance distance"
)
_HIGHER, _LOWER = frozenset(_MORE.split()), frozenset(_LESS.split())
_NUMBERED = ("f", "rouge", "top")  # f1, rouge2, top5


@dataclass(frozen=True, slots=True)
class Goal:
    """What is better of a metric: `best` is "max", "min" or "" (not known); `why` says how that is known.

    `summary` is the value that was said to stand for it (gitexp.summary), "" where nothing was; `summary_why` by whom.
    """

    best: Literal["max", "min", ""]
    why: str = ""
    summary: str = ""
    summary_why: str = ""

    @property
    def aggregate(self) -> str:
        """The value of a run that stands for it: what was said, else the best over the steps, else the last."""
        return self.summary or self.best or "last"

    @property
    def words(self) -> str:
        """The direction and where it is from: `higher: gitexp.toml`; "" where none is known."""
        return f"{'higher' if self.best == 'max' else 'lower'}: {self.why}" if self.best else ""

    def better(self, one: float, other: float) -> bool:
        """Say whether `one` is better than `other`; never where the direction is not known, or for a NaN."""
        return one > other if self.best == "max" else one < other if self.best == "min" else False


def of(workspace: Workspace, metric: str) -> Goal:
    """Return the goal of one metric."""
    aggregate, where = summary(workspace, metric)
    found = _direction(workspace, metric)
    return replace(found, summary=aggregate, summary_why=where) if aggregate else found


def _direction(workspace: Workspace, metric: str) -> Goal:
    for key, goal in (("maximize", Goal("max")), ("minimize", Goal("min"))):
        if any(fnmatchcase(metric, pattern) for pattern in workspace.settings.items(key)):
            return replace(goal, why=workspace.settings.origin(key)[1])
    return guess(metric)


def sentence(workspace: Workspace, metrics: Iterable[str]) -> str:
    """Return which direction is better of each metric and where that is from, "" where none is known:
    `higher val_auc, lower loss (guessed from the name); lower cost (gitexp.toml)`."""
    by_origin: dict[str, list[str]] = {}
    for metric in metrics:
        goal = of(workspace, metric)
        if goal.best:
            word = "higher" if goal.best == "max" else "lower"
            by_origin.setdefault(goal.why, []).append(f"{word} {text.safe(metric)}")
    told = {why: text.some(named, _NAMED) for why, named in by_origin.items()}
    return "; ".join(f"{named} ({why})" for why, named in told.items())


def saying(workspace: Workspace, metric: str) -> str:
    """Return what can be typed to say that more of a metric is better, beside those of which that is said."""
    said = ", ".join([*workspace.settings.items("maximize"), metric])
    return f"gitexp config maximize {shlex.quote(said)}   (or minimize)"


def split(name: str) -> tuple[str, str]:
    """Return a metric's name and the value of it that is asked for: `val_auc:last`; "" where none is."""
    metric, _, aggregate = name.rpartition(":")
    return (metric, aggregate) if metric and aggregate in AGGREGATES else (name, "")


def summary(workspace: Workspace, metric: str) -> tuple[str, str]:
    """Return which value gitexp.summary says stands for a metric, and where that is said; ("", "") for nothing.

    The strongest place that says something of the metric decides; there its name goes before globs, then the first.
    """
    for where, items in groupby(workspace.settings.pairs("summary"), key=itemgetter(2)):
        said = [(name, aggregate) for name, aggregate, _ in items]
        found = [aggregate for name, aggregate in said if name == metric]
        found += [aggregate for name, aggregate in said if fnmatchcase(metric, name)]
        if found:
            return found[0], where
    return "", ""


def context(workspace: Workspace) -> Context:
    """Return what a query depends on beside the runs: the time, and the value that stands for each metric."""
    from gitexp.index.compile import Context  # a training that shows no list does without

    return Context(clock.now_ms(), lambda metric: of(workspace, metric).aggregate)


@lru_cache(maxsize=4096)
def guess(metric: str) -> Goal:
    """Guess from the words of a metric's name; the last one that is known decides (`error_recall` is a recall)."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric).lower())
    pairs = ["_".join(pair) for pair in pairwise(words)]
    for word in (*reversed(pairs), *reversed(words)):
        if word in _LOWER:
            return Goal("min", GUESSED)
        if _is_higher(word):
            return Goal("max", GUESSED)
    return Goal("")


def _is_higher(word: str) -> bool:
    stem = word.rstrip("0123456789")
    return word in _HIGHER or (stem != word and stem in _NUMBERED)
