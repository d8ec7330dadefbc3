"""How much of the network a request takes, before it is run: for queues, budgets and estimates of time."""

from overpaint.goal import FIRST, ROUNDS
from overpaint.model import DiffusionModel
from overpaint.prepare import prepare
from overpaint.request import EditRequest

_MORE = 3  # trials that a search for a goal makes in each round after the first


def work_of(request: EditRequest, model: DiffusionModel) -> int:
    """Network rows times the pixels that the network works at; a search for a goal by the most that it may try.

    Raises ``ParameterError`` or ``ImageError``, whatever is wrong with the request: it is prepared to the end.
    """
    if request.params.keep is None:
        return prepare(request, model).work(model)
    middle = sum(FIRST) / len(FIRST)
    trial = prepare(request.replace(keep=None, strength=middle), model).work(model)
    return trial * (len(FIRST) + _MORE * (ROUNDS - 1))
