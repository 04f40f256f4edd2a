"""The facts: the tasks that the simulated teacher knows, their wordings, and their right answers."""
