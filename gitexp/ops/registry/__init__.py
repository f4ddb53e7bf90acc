"""The model registry: versions, gates, promotions, signatures, and who is told."""
