"""``overpaint serve``: many people's edits through one engine, as jobs that outlive the server's process."""
