"""A few labelled slices: what they are, how they are chosen, how they are written down."""
