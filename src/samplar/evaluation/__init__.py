"""Scores with stated rules."""
