"""Landscapes drawn by formulas, so that the true answer of an edit is known.

The very same place can be shown at four times of day, in three seasons, five weathers and eleven looks:

    places = held_out(8)
    day, night = draw(places, [Look(), Look(time="night")])  # [8,3,256,256] each

or step by step, for training:

    renderer = Renderer(256, "cuda")
    geometry = renderer.geometry(sample_layouts(64, seed=1))  # once for a place
    shot = renderer.shade(geometry, sample_conditions(geometry.layouts, seed=2))  # once for a condition
    pictures = Styler(renderer)("oil", shot, seed=3)  # once for a style
    words = [caption(fact, "oil", random.Random(4)) for fact in facts(geometry, shot)]

The ground is a field of heights seen in true perspective: for every column of the picture heights are evaluated at
hundreds of depths and projected, and a running maximum says which of them each pixel sees. Everything is seeded.
"""

from training.scenes.conditions import Conditions, make_conditions, sample_conditions
from training.scenes.drawing import Look, draw
from training.scenes.geometry import Geometry
from training.scenes.layout_sampling import HELD_OUT_SEED, held_out, is_held_out_seed, sample_layouts
from training.scenes.layouts import Layouts
from training.scenes.names import (
    BUILDINGS,
    FAULTS,
    SEASONS,
    STYLES,
    TERRAINS,
    TIMES,
    WEATHERS,
    Building,
    Fault,
    Season,
    Style,
    Terrain,
    Time,
    Weather,
)
from training.scenes.renderer import Renderer, Shot
from training.scenes.styles.photographs import faults
from training.scenes.styles.styler import Styler
from training.scenes.words.captions import caption, quality_caption
from training.scenes.words.facts import Facts, facts
from training.scenes.words.style_phrases import ANY_PHOTO

__all__ = [
    "ANY_PHOTO",
    "BUILDINGS",
    "FAULTS",
    "HELD_OUT_SEED",
    "SEASONS",
    "STYLES",
    "TERRAINS",
    "TIMES",
    "WEATHERS",
    "Building",
    "Conditions",
    "Facts",
    "Fault",
    "Geometry",
    "Layouts",
    "Look",
    "Renderer",
    "Season",
    "Shot",
    "Style",
    "Styler",
    "Terrain",
    "Time",
    "Weather",
    "caption",
    "draw",
    "facts",
    "faults",
    "held_out",
    "is_held_out_seed",
    "make_conditions",
    "quality_caption",
    "sample_conditions",
    "sample_layouts",
]
