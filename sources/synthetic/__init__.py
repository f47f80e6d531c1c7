"""Deterministic SYNTHETIC raw files in the agencies' own formats, for the profile `sample`."""
