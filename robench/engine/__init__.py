"""A model under test: prepared, computed in blocks, judged."""
