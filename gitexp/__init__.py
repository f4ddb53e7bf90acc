"""gitexp: experiment tracking inside the Git repository you already have."""

__version__ = "0.1.0"
