"""The tasks and records admitted so far, and how similar a new one is to them.

pool             the seeds, the tasks and the records of a run, with their indexes; what a step sees of them
read_only        the same for custom filters, which cannot change it
novelty          ROUGE-L of a new instruction with all known ones, exact
near_duplicates  Jaccard of a new record with all known ones
contamination    what a text shares with the questions of test sets
"""
