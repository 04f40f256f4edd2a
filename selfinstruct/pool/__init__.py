"""The tasks and records admitted so far, and how similar a new one is to them."""
