"""How good a result is: errors against truth, benchmark tables, and the demo."""
