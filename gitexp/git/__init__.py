"""The only code that knows pygit2, dulwich and the git command."""
