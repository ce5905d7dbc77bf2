"""`python -m groundshift`."""

from groundshift.cli import app

app()
