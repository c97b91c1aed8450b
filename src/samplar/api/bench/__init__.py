"""Benchmarks: every method on every data set, for every k, draw and seed, each cell once."""
