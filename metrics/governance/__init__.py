"""Predictors of the pillar Responsive & Just Governance."""
