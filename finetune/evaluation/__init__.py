"""Did a student get better? Figures over questions with known answers.

asking      its answers, stored as soon as they arrive
scoring     one answer compared with its reference
constraints prompts whose answers a program can check; constraint_kinds: the kinds of constraints
likelihood  the loss of the references
statistics  intervals and tests
judging     all figures of a model, and of two side by side
evaluate    runs all of these in order
report      the results as text
"""
