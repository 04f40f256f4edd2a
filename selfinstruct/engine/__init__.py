"""From requests to tasks and records, in one order."""
