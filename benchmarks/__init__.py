"""Speed and memory, measured against named alternatives in one run; `make bench` runs all of it."""
