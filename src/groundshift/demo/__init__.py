"""The whole story on simulated data: each chapter measures, holds its result against the truth, and shows it."""
