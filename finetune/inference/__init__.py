"""Models in this process that answer.

sampling    the sampling settings that they understand (no torch yet)
decoding    many answers at once, a token at a time
teacher     a `selfinstruct.teachers.Teacher` without a server
student     a trained model, or an adapter with its base
chat        a chat with a student, in a terminal or a pipe
serving     a student as a server
converting  an adapter and its base as one model; GGUF, and a Modelfile for Ollama
"""
