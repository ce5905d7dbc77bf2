"""How accurate and how fast: `python -m benchmarks` says what can be run."""
