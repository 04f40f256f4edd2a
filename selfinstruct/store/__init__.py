"""Everything that was asked and answered in a run, in one SQLite file."""
