"""Fit, predict, evaluate, report: the seam that the command line, notebooks and programs share."""
