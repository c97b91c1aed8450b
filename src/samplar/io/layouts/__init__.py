"""The ways a data set may lie on disk, one file each. What a folder holds decides, not its name."""
