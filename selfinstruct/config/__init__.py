"""All settings of a run.

config   all settings, assembled from the sections of the subpackages
changes  until when each of them may change
custom   custom parts in the settings
stored   settings read from a run's store
"""
