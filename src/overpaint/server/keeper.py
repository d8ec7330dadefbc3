"""The thread that throws away what is too old, or too much."""

import logging
import threading
import time

from overpaint.errors import OverpaintError
from overpaint.server.files import Files
from overpaint.server.settings import Settings
from overpaint.server.store import Store

_LOG = logging.getLogger("overpaint.server.keeper")
_EVERY = 60.0  # seconds


class Keeper:
    """Forgets jobs, results and sent pictures after ``settings.result_hours``, and the oldest results before that
    where all take more than ``settings.result_gigabytes``."""

    def __init__(self, settings: Settings, store: Store, files: Files) -> None:
        self._settings, self._store, self._files = settings, store, files
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="overpaint-keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def tidy(self) -> None:
        """Do it now. Raises ``StoreError``."""
        older = time.time() - self._settings.result_hours * 3600
        most = int(self._settings.result_gigabytes * 1e9)
        self._files.remove_results(self._store.forget(older))
        self._store.forget_pictures(older)
        tidied = self._files.tidy(older, most, self._store.digests, self._store.unfinished)
        if tidied.results or tidied.inputs:
            counts = {"results": len(tidied.results), "inputs": len(tidied.inputs)}
            _LOG.info("tidied", extra=counts)

    def _run(self) -> None:
        while not self._over.wait(_EVERY):
            try:
                self.tidy()
            except OverpaintError as e:
                _LOG.error("nothing could be tidied: %s", e)
