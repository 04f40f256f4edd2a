"""All settings of a run.

config   put together from the sections that the rooms declare
changes  until when each of them may change
stored   read from a run's store
"""
