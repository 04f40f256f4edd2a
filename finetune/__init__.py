"""Models in this process: the only package that imports torch, and nothing that does not need it imports this.

sampling    the sampling settings that a local teacher understands (no torch yet)
decoding    many answers at once, a token at a time
teacher     a `selfinstruct.teachers.Teacher` without a server
"""
