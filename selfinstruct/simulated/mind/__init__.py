"""Composing answers: what a prompt asks for, the answer to it, and its form, well-formed or malformed."""
