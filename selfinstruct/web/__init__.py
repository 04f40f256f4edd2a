"""What the pages share.

guard   a page on loopback, and who may see it
page    a report as one page: its look, and the texts on it
"""
