"""Settings as data: strict models, read from YAML, with every error reported at once."""
