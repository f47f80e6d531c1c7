"""Predictors of the pillar Healthy Environment & Access to Good Health Care."""
