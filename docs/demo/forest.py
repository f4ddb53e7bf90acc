"""A script that knows nothing of gitexp: `git exp run -- python forest.py --trees 50` records it all the same."""

import argparse

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

parser = argparse.ArgumentParser()
parser.add_argument("--trees", type=int, default=100)
parser.add_argument("--depth", type=int, default=12)
args = parser.parse_args()

images, labels = load_digits(return_X_y=True)
forest = RandomForestClassifier(args.trees, max_depth=args.depth, random_state=0)
print(f"accuracy {cross_val_score(forest, images, labels, cv=3).mean():.4f}")
