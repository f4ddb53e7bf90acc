import os
import signal

import mlflow

mlflow.start_run(run_name="killed")
mlflow.log_param("lr", 0.1)
for step in range(10):
    mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
mlflow.log_text("kept", "kept.txt")
os.kill(os.getpid(), signal.SIGKILL)
