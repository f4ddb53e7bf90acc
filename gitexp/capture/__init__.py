"""What is found out about a run: code, environment, machine, output."""
