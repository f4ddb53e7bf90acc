"""Train a small neural network on the digits that come with scikit-learn, and record it with gitexp."""

import argparse
import json
import warnings
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import gitexp

warnings.filterwarnings("ignore", category=UserWarning)  # "not converged yet" after each epoch: so it is meant

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

images, labels = load_digits(return_X_y=True)
train_x, val_x, train_y, val_y = train_test_split(images / 16, labels, test_size=0.3, random_state=0)

with gitexp.start_run("digits", params=vars(args), seed=args.seed) as run:
    model = MLPClassifier((args.hidden,), learning_rate_init=args.lr, random_state=args.seed)
    for epoch in range(args.epochs):
        model.partial_fit(train_x, train_y, classes=range(10))
        guessed = model.predict_proba(val_x)
        run.log(
            {
                "loss": model.loss_,
                "val_loss": log_loss(val_y, guessed),
                "val_accuracy": model.score(val_x, val_y),
            },
            step=epoch,
        )
    Path("outputs").mkdir(exist_ok=True)
    confusion = confusion_matrix(val_y, model.predict(val_x))
    Path("outputs/confusion.json").write_text(json.dumps(confusion.tolist()))
    run.log_artifact("outputs/confusion.json")
    joblib.dump(model, "outputs/model.joblib")
    run.log_artifact("outputs/model.joblib", type="model")
