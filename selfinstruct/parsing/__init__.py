"""What a model said, as items, verdicts and instances."""
