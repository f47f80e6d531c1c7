"""Readers of American Community Survey microdata: the Census Bureau's files and IPUMS extracts, to one table."""
