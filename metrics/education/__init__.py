"""Predictors of the pillar High-Quality Education."""
