import mlflow
import torch

torch.manual_seed(0)
x = torch.randn(64, 3)
y = (x @ torch.tensor([[1.0], [-2.0], [0.5]])).squeeze(1)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

with mlflow.start_run(run_name="linear"):
    mlflow.log_params({"lr": 0.1, "epochs": 5})
    for epoch in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
        mlflow.log_metric("loss", loss.item(), step=epoch)
    torch.save(model.state_dict(), "weights.pt")
    mlflow.log_artifact("weights.pt", "checkpoints")
    info = mlflow.pytorch.log_model(model, name="model", input_example=x[:2].numpy(), pip_requirements=["torch"])

loaded = mlflow.pytorch.load_model(info.model_uri)
assert torch.equal(loaded(x), model(x))
