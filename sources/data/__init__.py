"""Data of the project's own: the registry of geographies (see README.md)."""
