"""Truth: ruptures, scenes and pairs whose displacement is known. Used by users, tests and training alike."""
