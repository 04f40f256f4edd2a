"""Files that users bring, as rows, and files written whole.

reading    text, bytes and rows of JSON; every problem is a UsageError that names the place
files      a dataset row by row, whose faults are part of it, and as such a file again
fields     the known fields of rows, turns and parts: how each is spelled, and how it is used
formats    the formats of a row, and a row of any of them as conversations
turns      a list of turns as texts: parts, reasoning, calls of tools, weights
not_used   what rows hold that no format knows, counted by name
questions  the questions of a test set, alone and with their answers
encodings  texts that were decoded wrongly
writing    a file beside its place until it is whole
"""
