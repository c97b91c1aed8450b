"""One file per published way of adapting SAM."""
