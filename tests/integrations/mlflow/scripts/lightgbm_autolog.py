import lightgbm
import mlflow
import numpy as np

mlflow.lightgbm.autolog()
generator = np.random.default_rng(0)
x = generator.normal(size=(200, 4))
y = (x[:, 0] > 0).astype(int)
train = lightgbm.Dataset(x[:150], y[:150])
valid = lightgbm.Dataset(x[150:], y[150:], reference=train)
lightgbm.train(
    {"objective": "binary", "verbosity": -1, "num_leaves": 4}, train, num_boost_round=5, valid_sets=[valid]
)  # fmt: skip
run = mlflow.last_active_run()
assert run.data.params["num_leaves"] == "4"
