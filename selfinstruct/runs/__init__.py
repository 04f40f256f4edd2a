"""What is done to a run folder.

run        opened: begun, or resumed with the settings that may still change
teachers   checked before money is spent, and opened for a session
generate   grown to a number of tasks
estimate   what a number of tasks will need
importing  imports other tools' answers and datasets; recorded: their files; recalled: read back from the store
refilter   filtered again under other rules; changes: what is lost and gained by it
"""
