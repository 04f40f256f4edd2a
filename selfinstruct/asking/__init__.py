"""Stages and prompts as data, and the reasons why an answer has no content.

stages    a stage: its name, prompts, default sampling, and the field it adds to each task
prompts   prompt files, checked and rendered
reading   answers without content, with the reason
"""
