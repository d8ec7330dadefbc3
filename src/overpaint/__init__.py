"""Overpaint: edit pictures under a text prompt with Stable Diffusion, by SDEdit.

>>> from overpaint import Editor
>>> editor = Editor()
>>> result = editor.edit("lake.jpg", "An oil painting in the style of Van Gogh", strength=0.6, seed=7)
>>> result.save("out.png")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from overpaint.version import __version__ as __version__

if TYPE_CHECKING:
    from overpaint.card import Card as Card
    from overpaint.editor import Editor as Editor
    from overpaint.errors import DiskFullError as DiskFullError
    from overpaint.errors import EditCancelled as EditCancelled
    from overpaint.errors import EditFailed as EditFailed
    from overpaint.errors import ImageError as ImageError
    from overpaint.errors import ModelError as ModelError
    from overpaint.errors import OutputError as OutputError
    from overpaint.errors import OverpaintError as OverpaintError
    from overpaint.errors import ParameterError as ParameterError
    from overpaint.errors import RecipeError as RecipeError
    from overpaint.job import EditJob as EditJob
    from overpaint.job import StepEvent as StepEvent
    from overpaint.metadata import read_recipe as read_recipe
    from overpaint.metadata import read_recipes as read_recipes
    from overpaint.model_sam import select_by_sam as select_by_sam
    from overpaint.params import EditParams as EditParams
    from overpaint.recipe import Recipe as Recipe
    from overpaint.request import EditRequest as EditRequest
    from overpaint.request import Layer as Layer
    from overpaint.result import EditResult as EditResult

# loaded when first asked for (PEP 562): `import overpaint` and `overpaint --help` must not wait for torch
_HOMES = {
    "Card": "card",
    "DiskFullError": "errors",
    "EditCancelled": "errors",
    "EditFailed": "errors",
    "EditJob": "job",
    "EditParams": "params",
    "EditRequest": "request",
    "EditResult": "result",
    "Editor": "editor",
    "ImageError": "errors",
    "Layer": "request",
    "ModelError": "errors",
    "OutputError": "errors",
    "OverpaintError": "errors",
    "ParameterError": "errors",
    "Recipe": "recipe",
    "RecipeError": "errors",
    "StepEvent": "job",
    "read_recipe": "metadata",
    "read_recipes": "metadata",
    "select_by_sam": "model_sam",
}
__all__ = [
    "Card",
    "DiskFullError",
    "EditCancelled",
    "EditFailed",
    "EditJob",
    "EditParams",
    "EditRequest",
    "EditResult",
    "Editor",
    "ImageError",
    "Layer",
    "ModelError",
    "OutputError",
    "OverpaintError",
    "ParameterError",
    "Recipe",
    "RecipeError",
    "StepEvent",
    "__version__",
    "read_recipe",
    "read_recipes",
    "select_by_sam",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'overpaint' has no attribute {name!r}")
    return getattr(import_module(f"overpaint.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
