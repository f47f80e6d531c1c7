"""From estimates to what readers take: published files, dictionary, database, release, trace."""
