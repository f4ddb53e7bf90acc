"""The bytes of large files: where they go, whether they are right, what they take, which may go."""
