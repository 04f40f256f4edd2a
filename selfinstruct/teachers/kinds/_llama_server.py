"""llama.cpp's server in a process of its own: `python _llama_server.py MODEL.gguf PORT SLOTS CONTEXT THREADS`."""

import sys
import threading

import xllamacpp


def main(model: str, port: int, slots: int, context: int, threads: int) -> None:
    """Serve the model on loopback, with `slots` answers at a time of `context` tokens each, until it is stopped."""
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.cors_origins = "http://127.0.0.1"  # no page in a browser may ask it
    settings.n_parallel = slots
    settings.n_ctx = slots * context
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(settings)  # returns when the model is loaded
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
