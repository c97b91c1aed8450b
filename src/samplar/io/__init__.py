"""Files to arrays and back. Nothing in here imports torch."""
