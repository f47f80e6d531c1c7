"""Where every input comes from: one module per provider, from the agency's bytes to a tidy, checked polars frame."""
