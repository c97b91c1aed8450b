"""Exemplar-guided synthesis: new labelled images from a few labelled slices."""
