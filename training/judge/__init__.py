"""How the judge of ``overpaint.describe`` is trained and measured: ``python -m training.judge``."""
