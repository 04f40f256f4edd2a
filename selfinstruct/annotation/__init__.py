"""Questions about rows that exist: labels, scores, preferences, answers, by several teachers, several times.

task      what is asked, from a file of the user's
rows      the rows, the question about each, and those that cannot be asked about
examples  gold examples: the first ones, or the nearest to each row
question  a task as the stage of a run: its prompt, the schema of its answers
votes     answers read as votes
"""

STAGE = "annotate"  # the only stage of such a run, and its table in the settings
MOST_SAMPLES = 100  # of each model about each row
KEYS = ("seed", "prompts", "teacher", "running", "simulated", "prices", STAGE)  # the settings that have an effect
