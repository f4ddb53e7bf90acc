import subprocess
import sys

import mlflow

CHILD = """
import sys, mlflow
with mlflow.start_run(run_id=sys.argv[1]):
    for step in range(20):
        mlflow.log_metric("child", step, step=step)
    mlflow.log_text("child", "child.txt")
"""
client = mlflow.MlflowClient()
run = client.create_run("0", run_name="shared")
child = subprocess.Popen([sys.executable, "-c", CHILD, run.info.run_id])
for step in range(20):
    client.log_metric(run.info.run_id, "parent", step, step=step)
client.log_text(run.info.run_id, "parent", "parent.txt")
assert child.wait() == 0
client.log_param(run.info.run_id, "after", "the child ended it")
client.set_terminated(run.info.run_id)
