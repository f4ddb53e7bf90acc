import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

x, y = load_iris(return_X_y=True, as_frame=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
mlflow.set_experiment("iris")
for trees in (5, 10):
    with mlflow.start_run(run_name=f"forest-{trees}"):
        forest = RandomForestClassifier(n_estimators=trees, random_state=0).fit(x_train, y_train)
        mlflow.log_param("n_estimators", trees)
        mlflow.log_metric("accuracy", forest.score(x_test, y_test))
        info = mlflow.sklearn.log_model(
            forest,
            name="model",
            signature=infer_signature(x_train, forest.predict(x_train)),
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
predictions = mlflow.pyfunc.load_model(info.model_uri).predict(x_test)
assert (predictions == forest.predict(x_test)).all()
