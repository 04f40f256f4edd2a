"""What a student learns from.

dialogues   runs, files and datasets of the hub as dialogues; split by task
templates   chat templates, and the wording of instructions
encoding    dialogues as ids, with labels on the answers only
preflight   what would be trained, and whether it fits (memory), before any weight is loaded
"""
