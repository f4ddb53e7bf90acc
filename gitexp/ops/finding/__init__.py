"""Which runs are meant, and what is known of them that chooses: names, scopes, lists, columns, groups."""
