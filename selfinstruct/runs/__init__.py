"""What is done to a run folder: open, grow, import, filter again, estimate."""
