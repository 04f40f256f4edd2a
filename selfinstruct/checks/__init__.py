"""Our rules as a linter over any instruction dataset: `selfinstruct check FILE`.

files      a JSON list, JSON Lines or Parquet as rows, and back
formats    a row of any format as conversations
findings   every rule with its level and its words
rules      what is wrong with one conversation; endings, media, encodings: those that need more than a line
repeats    what is wrong between rows
checking   all of it; fixing: the cleaned copy; report: the findings as text
"""
