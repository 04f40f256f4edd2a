"""`make demo-student`: a student that anyone can train, in minutes on two CPU cores.

tiny        a LLaMA from scratch: a tokenizer trained on a corpus, and random weights
graded      new questions from the simulated world, with known right answers
steps       the demo, step by step
"""
