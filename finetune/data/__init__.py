"""What a student learns from.

dialogues   runs, files and datasets of the hub as dialogues; split by task
rows        rows of a file as dialogues, with their other fields
templates   how a student is prompted
encoding    dialogues as ids, with labels on the answers only
preflight   what would be trained, and whether it fits (memory), before any weight is loaded
"""
