import mlflow
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

mlflow.sklearn.autolog(max_tuning_runs=4)
x, y = load_iris(return_X_y=True)
search = GridSearchCV(RandomForestClassifier(random_state=0), {"n_estimators": [3, 6], "max_depth": [2, 3]}, cv=2)
with mlflow.start_run(run_name="grid") as run:
    search.fit(x, y)
children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'")
assert len(children) == 4, len(children)
mlflow.set_tag("late", "1") if mlflow.active_run() else mlflow.MlflowClient().set_tag(run.info.run_id, "late", "1")
