"""What is asked of a teacher, as data: stages, their prompts, and what an answer may be without anything to read.

stages    a stage: its name, prompts, default sampling, and the field that it gives each task
prompts   the prompts' files, filled in
reading   answers in which there is nothing to read, with the reason
"""
