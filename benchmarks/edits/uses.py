"""What is asked for: the four uses of an edit, each with the look it starts from and those it is to reach."""

from collections.abc import Sequence
from dataclasses import dataclass

from overpaint.params import PresetName
from training.scenes import TERRAINS, Layouts, Look, Terrain

# each terrain in the plainest words of the captions that the embedded model was trained on
SUBJECTS: dict[Terrain, str] = {
    "mountain_lake": "a mountain lake",
    "mountains": "mountains",
    "hills": "rolling hills",
    "sea": "the sea",
    "desert": "a desert",
    "forest": "a forest",
    "meadow": "a meadow",
    "snowfield": "a snowy landscape",
    "river_valley": "a river valley",
    "canyon": "a canyon",
    "coast_cliffs": "cliffs by the sea",
    "forest_lake": "a forest lake",
}


@dataclass(frozen=True)
class Target:
    """One thing to ask for.

    Attributes:
        prompt: with ``{subject}`` where the place is named; a preset's template comes around it.
        head: the judge's head that tells whether it is there, and ``wanted``, the class that says yes.
    """

    name: str
    prompt: str
    look: Look
    head: str
    wanted: str


@dataclass(frozen=True)
class Use:
    """A use by its preset, what is edited, and what it is to become."""

    preset: PresetName
    given: Look
    targets: tuple[Target, ...]

    @property
    def looks(self) -> list[Look]:
        """What is edited, and then the truth of each target."""
        return [self.given, *(target.look for target in self.targets)]


USES = (
    Use(
        "style",
        Look(),
        (
            Target("oil", "An oil painting of {subject}", Look(style="oil"), "style", "oil"),
            Target(
                "van gogh",
                "An oil painting in the style of Van Gogh of {subject}",
                Look(style="vangogh"),
                "style",
                "vangogh",
            ),
            Target("watercolor", "A watercolor painting of {subject}", Look(style="watercolor"), "style", "watercolor"),
        ),
    ),
    Use("sketch", Look(style="sketch"), (Target("digital", "{subject}", Look(style="digital"), "style", "digital"),)),
    Use("enhance", Look(style="degraded"), (Target("photo", "{subject}", Look(), "style", "photo"),)),
    Use(
        "scene",
        Look(),
        (
            Target("night", "Same scene at night with stars, {subject}", Look(time="night"), "time", "night"),
            Target("sunset", "Same scene at sunset, {subject}", Look(time="sunset"), "time", "sunset"),
            Target("winter", "Same scene in winter with snow, {subject}", Look(season="winter"), "season", "winter"),
        ),
    ),
)


def subjects(places: Layouts) -> Sequence[str]:
    """Each place in words."""
    return [SUBJECTS[TERRAINS[i]] for i in places.terrain.tolist()]
