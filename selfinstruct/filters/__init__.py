"""What may stay, and why not."""
