"""How good a result is: errors against truth, and benchmark tables."""
