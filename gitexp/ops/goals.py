"""Which way a metric is better, and how that is known: said by the project, or guessed from the name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from gitexp.store.workspace import Workspace

_HIGHER = re.compile(
    r"acc|accuracy|auc|auroc|auprc|aupr|ap|map|m_ap|precision|recall|sensitivity|specificity|f[0-9]+|fbeta|dice|iou|miou"
    r"|jaccard|r2|score|bleu|rouge[0-9l]*|meteor|ndcg|mrr|hit|hits|hitrate|reward|return|returns|psnr|ssim|kappa|mcc"
    r"|correlation|pearson|spearman|throughput|likelihood|top[0-9]+|uplift|wins?|winrate"
)
_LOWER = re.compile(
    r"loss|losses|error|errors|err|mse|rmse|mae|mape|smape|rmsle|msle|nll|perplexity|ppl|bpb|bpc|wer|cer|per|ter|eer|ece"
    r"|fid|kid|kl|kld|divergence|brier|brier_score|false_positives?|false_negatives?|logloss|cross_?entropy|xent|hinge|latency|regret|fpr|fnr|deviance|distance"
)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is better of a metric: `best` is "max", "min" or "" (not known); `why` says how that is known."""

    best: Literal["max", "min", ""]
    why: str = ""

    @property
    def aggregate(self) -> str:
        """The aggregate of a run that stands for it: over the steps where a direction is known, else the last."""
        return self.best or "last"

    def better(self, one: float, other: float) -> bool:
        """Say whether `one` is better than `other`; never where the direction is not known, or for a NaN."""
        return one > other if self.best == "max" else one < other if self.best == "min" else False


def of(workspace: Workspace, metric: str) -> Goal:
    """Return the goal of one metric."""
    for key, goal in (("maximize", Goal("max")), ("minimize", Goal("min"))):
        if any(fnmatchcase(metric, pattern) for pattern in workspace.settings.items(key)):
            return replace(goal, why=workspace.settings.origin(key)[1])
    return guess(metric)


@lru_cache(maxsize=4096)
def guess(metric: str) -> Goal:
    """Guess from the words of a metric's name; the last one that is known decides (`error_recall` is a recall)."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric).lower())
    pairs = ["_".join(pair) for pair in pairwise(words)]
    for word in (*reversed(pairs), *reversed(words)):
        if _LOWER.fullmatch(word):
            return Goal("min", "guessed from the name")
        if _HIGHER.fullmatch(word):
            return Goal("max", "guessed from the name")
    return Goal("")
