"""A simulated teacher: the world of tasks it knows (`world`) and, beside it, the server that speaks for it."""
