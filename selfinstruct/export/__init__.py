"""Records out: formats, the dataset card, the hub."""
