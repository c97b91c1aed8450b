"""Segment Anything, once, with the parameter names of the public checkpoints."""
