"""How much each of some inputs has to do with an output: a forest that predicts it, and what it loses without one.

A random forest is fitted to the ranks of the output (one diverged run then weighs no more than another) in five parts,
each predicted from the other four. An input's influence is how much worse those predictions become when its values are
shuffled: Breiman's permutation importance, on runs that the forest has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitexp.errors import Unsupported

if TYPE_CHECKING:
    import numpy as np

PARTS, TREES, SHUFFLES, SEED = 5, 40, 3, 0


@dataclass(frozen=True, slots=True)
class Influence:
    """Shares of the inputs, which add up to 1, and the part of the order of unseen runs that all explain (R²)."""

    shares: dict[str, float]
    explained: float


def ranks(values: Sequence[float]) -> np.ndarray[Any, Any]:
    """Return the ranks of values from 0 to 1; equal ones share theirs, NaN stays."""
    import pandas as pd

    found = pd.Series(values, dtype="float64").rank().to_numpy()
    return (found - 1) / max(len(values) - 1, 1)


def correlation(inputs: Sequence[float], output: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation over the pairs without NaN; None where a side has only one value."""
    import numpy as np

    pairs = np.array([inputs, output], dtype="float64")
    pairs = pairs[:, ~np.isnan(pairs).any(axis=0)]
    if any(len(set(side)) < 2 for side in pairs):
        return None
    return float(np.corrcoef(ranks(pairs[0]), ranks(pairs[1]))[0, 1])


def measure(inputs: Mapping[str, Sequence[float]], output: Sequence[float]) -> Influence:
    """Return what each input has to do with an output, one number a run (NaN in an input: the run has none).

    Deterministic. Raises Unsupported where scikit-learn is not installed.
    """
    import numpy as np

    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
        from sklearn.model_selection import KFold
    except ImportError as error:
        raise Unsupported("importance needs scikit-learn", hint="pip install 'gitexp[importance]'") from error
    # A forest asks only what is larger: ranks say all of it, whatever the scale, and fit into its 32 bits.
    table, wanted = np.column_stack([ranks(side) for side in inputs.values()]), ranks(output)
    predicted, losses = np.empty(len(wanted)), np.zeros(len(inputs))
    for known, unseen in KFold(PARTS, shuffle=True, random_state=SEED).split(table):
        forest = RandomForestRegressor(TREES, random_state=SEED).fit(table[known], wanted[known])
        predicted[unseen] = forest.predict(table[unseen])
        lost = permutation_importance(
            forest,
            table[unseen],
            wanted[unseen],
            n_repeats=SHUFFLES,
            random_state=SEED,
            scoring="neg_mean_squared_error",
        )
        losses += lost.importances_mean * len(unseen)
    losses = np.clip(losses, 0, None)
    shares = losses / losses.sum() if losses.sum() else losses
    spread = float(((wanted - wanted.mean()) ** 2).sum())
    explained = 1 - float(((wanted - predicted) ** 2).sum()) / spread if spread else 0.0
    return Influence(dict(zip(inputs, map(float, shares), strict=True)), explained)
