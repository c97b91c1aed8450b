"""Damage small valid files of every kind that is read, and judge what becomes of each.

`python -m fuzzing` (or `make fuzz`) does it in full and prints a table; `tests/fuzz` does a part of
it in every test run, and replays `tests/fuzz/corpus.jsonl`, the failures of the past.
"""
