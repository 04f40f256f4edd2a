"""The families of tasks, by what they are about: how each is asked for, how its inputs are made, how it is solved."""
