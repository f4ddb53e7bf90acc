import threading

import mlflow

mlflow.config.enable_async_logging()
with mlflow.start_run() as run:

    def log(number):
        for step in range(50):
            mlflow.log_metric(f"m{number}", step, step=step, run_id=run.info.run_id)
        mlflow.MlflowClient().log_param(run.info.run_id, f"p{number}", number)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
mlflow.flush_async_logging()
