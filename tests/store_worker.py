"""A server's other process, for tests: works on a store as it is told, and says what it was told was true.

python store_worker.py chaos URL FOLDER SEED    submits, claims and ends jobs, until it is killed
python store_worker.py claim URL                claims all that waits, once "go" comes in, and adds jobs; says which
python store_worker.py hold FOLDER              holds a data folder until it is killed
"""

import contextlib
import random
import sys
import time

from overpaint.errors import QueueFullError
from overpaint.server.files import Files
from overpaint.server.records import Asked, Failure, JobRecord, Made
from overpaint.server.store import Store


def job(**changes: object) -> JobRecord:
    return JobRecord(asked=Asked({"prompt": "a lake", "seed": 7}), **changes)  # type: ignore[arg-type]


def say(*words: str) -> None:
    print(*words, flush=True)


def chaos(url: str, folder: str, seed: str) -> None:
    """Says only what was true before it was said: "accepted ID", "done ID" ..."""
    rng = random.Random(int(seed))
    with Files(folder) as files, Store(url) as store:
        store.recover(most_attempts=3)
        while True:
            asked = job().asked
            if rng.random() < 0.5:
                asked = Asked(asked.params, image=files.put_input(rng.randbytes(500)))
            say("accepted", store.add(JobRecord(asked=asked)).id)
            waiting = [record.id for record in store.queued()]
            id = rng.choice(waiting)
            kind = rng.choice(["done", "done", "failed", "cancelled", "cancel", "left", "put back"])
            if kind == "cancelled":
                assert store.cancel(id, "") == "cancelled"
                say(kind, id)
                continue
            assert store.claim(id)
            if kind == "done":
                data = rng.randbytes(rng.randrange(1, 50_000))
                made = Made("png", files.put_result(id, "png", data), len(data), {"seed": 7})
                assert store.finish(id, made)
                say(kind, id)
            elif kind == "failed":
                assert store.fail(id, Failure("edit_error", "edit_failed", "as it happens"))
                say(kind, id)
            elif kind == "cancel":
                assert store.cancel(id, "") == "asked"
                if rng.random() < 0.5:
                    assert store.cancelled(id)
                    say("cancelled", id)
            elif kind == "put back":
                assert store.put_back(id)


def claim(url: str) -> None:
    with Store(url) as store:
        say("ready")
        assert sys.stdin.readline() == "go\n"
        for record in list(store.queued()):
            if store.claim(record.id):
                say("claimed", record.id)
        # the same request from each process, and then more than the queue takes
        say("same", store.add(job(key="the-one", fingerprint="0" * 64)).id)
        for _ in range(30):
            with contextlib.suppress(QueueFullError):
                say("added", store.add(job(), room=31).id)


def hold(folder: str) -> None:
    with Files(folder):
        say("held")
        time.sleep(60)


if __name__ == "__main__":
    {"chaos": chaos, "claim": claim, "hold": hold}[sys.argv[1]](*sys.argv[2:])
