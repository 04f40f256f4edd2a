"""The task families, by topic: the wordings of each, how its inputs are made, and how it is solved."""
