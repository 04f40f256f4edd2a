"""What is true: the tasks that the simulated teacher knows, how they are put into words, and their right answers."""
