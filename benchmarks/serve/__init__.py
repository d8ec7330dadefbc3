"""The server's benchmark: ``overpaint serve`` and diffusers behind the usual kind of server, on the same traffic.

python -m benchmarks.serve [--only closed open short overhead soak] [--repeat 2] [--json FILE] [--page FILE]
python -m benchmarks.serve --only soak --soak 30 --read FILE --json FILE

Everybody is a process of its own on loopback and gets the same requests in the same order: mixed edits, half of them
with maps, whose network calls are counted in every answer. They take turns, and only one of them runs at a time. Goals
are ratios within one run, against the peer or against the same server alone.

* ``peer.py`` is diffusers' pipelines behind FastAPI with a queue and one worker, as its documentation tells people to
  use them and at their best.
* The load comes from this process, which computes nothing else; what it takes of the processor is told.

``docs/serving-speed.md`` says how to read it.
"""
