"""Scores, intervals and tests computed from predictions."""
