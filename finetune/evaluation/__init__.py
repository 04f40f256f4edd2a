"""Did a student get better? Figures over questions with known answers.

asking      its answers, kept as soon as they are there
scoring     one answer against the one expected
constraints prompts whose answers a program can check; constraint_kinds: what they may ask for
likelihood  the loss of the expected answers
statistics  how sure a figure is
judging     all figures of a model, and of two side by side
evaluate    all of that in its order
report      as text
"""
