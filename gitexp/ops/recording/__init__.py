"""The life of a run, from its start to its record, also where its process or its machine is lost."""
