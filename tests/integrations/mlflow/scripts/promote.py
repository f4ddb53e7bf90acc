import mlflow
from mlflow import MlflowClient

client = MlflowClient()
experiment = client.get_experiment_by_name("iris")
best = client.search_runs([experiment.experiment_id], order_by=["metrics.accuracy DESC"], max_results=1)[0]
version = mlflow.register_model(f"runs:/{best.info.run_id}/model", "iris")
client.set_model_version_tag("iris", version.version, "validated", "yes")
client.transition_model_version_stage("iris", version.version, "Staging")
client.transition_model_version_stage("iris", version.version, "Production", archive_existing_versions=True)
client.set_registered_model_alias("iris", "champion", version.version)
assert client.get_latest_versions("iris", ["Production"])[0].run_id == best.info.run_id
model = mlflow.sklearn.load_model("models:/iris@champion")
assert model.n_features_in_ == 4
assert mlflow.sklearn.load_model("models:/iris/Production").n_features_in_ == 4
