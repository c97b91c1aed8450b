"""Samplar: SAM from a few exemplars."""

__version__ = "0.1.0"
