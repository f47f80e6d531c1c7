"""The release gate: one rule per documented way a release can be wrong, each with its severity and its evidence.

`outputs.rules.register` is the list of rules, `outputs.rules.context` what they look at, `outputs.rules.report` what
comes of it. Rules are pure: they read frames and finished files and return the rows that break them.
"""
