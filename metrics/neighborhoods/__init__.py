"""Predictors of the pillar Opportunity-Rich & Inclusive Neighborhoods."""
