"""Predictors of the pillar Rewarding Work."""
