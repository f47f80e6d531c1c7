"""Shapes and closed lists: what a table, an estimate and a published file must look like. Imports nothing of ours."""
