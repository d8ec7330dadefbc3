"""``overpaint serve`` with an engine that dies: the network raises what no engine survives, once a file is there."""

import os
from typing import Any

from overpaint.cli import main, serving
from overpaint.editor import Editor

VARIABLE = "DYING_SERVER_FILE"


def load(choice: Any) -> Editor:
    editor = Editor(**vars(choice))
    predict = editor.model.predict

    def dying(*args: Any, **rest: Any) -> Any:
        if os.path.exists(os.environ[VARIABLE]):
            raise SystemExit("the end")
        return predict(*args, **rest)

    editor.model.predict = dying  # type: ignore[method-assign]
    return editor


def run() -> None:
    serving.load = load
    main()
