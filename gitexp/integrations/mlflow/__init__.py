"""MLflow on Git: what MLflow calls when its tracking URI is `gitexp:…`."""
