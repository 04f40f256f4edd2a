"""How it says it: OpenAI's endpoints on a local port, with batches, and with the faults of a real service."""
