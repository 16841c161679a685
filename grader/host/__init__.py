"""The trusted side of a worker: start it, talk to it, end it."""
