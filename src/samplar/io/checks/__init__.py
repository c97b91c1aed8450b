"""What `samplar check` looks at, one question a file."""
