"""Delivering answers: OpenAI's endpoints on a local port, with batches, and with the faults of a real service."""
