"""From requests to tasks and records: requests in any order, admission in one.

engine          the order of it all: what is sent ahead, what waits
gate            the way into the pool, in the order of steps, and of tasks
requests        from a stage and its variables to a request
answer_formats  which servers can hold their answers to a JSON schema
progress        how far the run is; display: shown in a terminal
"""
