"""What people might write about a picture, from what the renderer knows of it.

The order in which random numbers are taken is part of a caption's seed.
"""

import random
from collections.abc import Callable

from training.scenes.names import STYLES, Fault, Style, number_of
from training.scenes.words.facts import Facts
from training.scenes.words.phrases import (
    ANYWHERE,
    BUILT,
    HOUSES_AT_NIGHT,
    IN_SEASON,
    IN_TIME,
    IN_WEATHER,
    LONE_TREES,
    PLACES,
    SAME_PLACE,
)
from training.scenes.words.style_phrases import GOOD_PHOTO, STYLE_AFTER, STYLE_ALONE, STYLE_OF, WITH_FAULT

_PRAISE = [", high quality", ", detailed", ", sharp focus", ", high quality, detailed", ", 4k"]


def caption(facts: Facts, style: Style | int, rng: random.Random, fault: Fault | None = None) -> str:
    """One random caption of a picture in ``style``; ``fault`` says what is wrong with a degraded one."""
    style = STYLES[number_of("style", STYLES, style)]
    conditions = _conditions(facts, rng)
    things = _things(facts, rng)[: rng.choice([0, 1, 1, 2, 2, 3])]
    what = _place(facts, rng)
    if things:
        link = rng.choice([" with ", " with ", " and ", ", "])
        what += link + (things[0] if len(things) == 1 else _listed(things, rng))
    when = ""
    if conditions:
        comma = " " if rng.random() < 0.75 else ", "
        when = comma + (" " if rng.random() < 0.7 else ", ").join(conditions)
    text = _composed(what, when, conditions, facts, style, rng)
    if style == "degraded" and fault is not None and rng.random() < 0.5:
        text = rng.choice(WITH_FAULT[fault]) + ", " + text
    if style == "photo" and rng.random() < 0.10:
        text += rng.choice(_PRAISE)
    return text


def quality_caption(facts: Facts, rng: random.Random) -> str:
    """What someone asks for who wants a bad photograph repaired."""
    head = rng.choice(GOOD_PHOTO)
    u = rng.random()
    if u < 0.15:
        return head
    if u < 0.25:
        return head + rng.choice([" of the same scene", ", same scene"])
    things = _things(facts, rng)[: rng.choice([0, 0, 1, 2])]
    what = _place(facts, rng) + (" with " + " and ".join(things) if things else "")
    conditions = _conditions(facts, rng) if rng.random() < 0.4 else []
    return " ".join([f"{head} of {what}", *conditions])


def _composed(what: str, when: str, conditions: list[str], facts: Facts, style: Style, rng: random.Random) -> str:
    """One of six forms. A photograph's style often goes without saying."""
    plain = style == "photo"
    u = rng.random()
    if u < 0.56:
        unsaid = plain and rng.random() < 0.15
        return ("" if unsaid else rng.choice(STYLE_OF[style]) + " ") + what + when
    if u < 0.68:
        unsaid = plain and rng.random() < 0.3
        return what + when + ("" if unsaid else ", " + rng.choice(STYLE_AFTER[style]))
    if u < 0.82:
        return _same_place(conditions, facts, style, rng)
    if u < 0.90:
        text = rng.choice(STYLE_ALONE[style])
        return text + ", " + " ".join(conditions) if conditions and rng.random() < 0.4 else text
    if u < 0.95:
        return ("" if plain else rng.choice(STYLE_OF[style]) + " ") + rng.choice(ANYWHERE) + when
    unsaid = plain and rng.random() < 0.4
    tags = [what, *conditions, *([] if unsaid else [rng.choice(STYLE_AFTER[style])])]
    rng.shuffle(tags)
    return ", ".join(tags)


def _same_place(conditions: list[str], facts: Facts, style: Style, rng: random.Random) -> str:
    """As in "the same scene at night with stars"."""
    text = " ".join([rng.choice(SAME_PLACE), *conditions])
    if not conditions and facts.time == "day":
        text += rng.choice([" by day", " on a sunny day", " in daylight"])
    if style != "photo" or rng.random() < 0.35:
        text += ", " + rng.choice(STYLE_AFTER[style])
    return text


def _listed(things: list[str], rng: random.Random) -> str:
    return ", ".join(things[:-1]) + rng.choice([" and ", ", "]) + things[-1]


def _conditions(facts: Facts, rng: random.Random) -> list[str]:
    """Time, season and weather; the usual ones are seldom mentioned."""
    said = []
    for phrases, probability in (
        (IN_TIME[facts.time], 0.35 if facts.time == "day" else 0.95),
        (IN_SEASON[facts.season], 0.25 if facts.season == "summer" else 0.95),
        (IN_WEATHER[facts.weather], 0.35 if facts.weather in ("clear", "cloudy") else 0.9),
    ):
        if rng.random() < probability:
            phrase = rng.choice(phrases)
            untrue = facts.time == "night" and ("blue sky" in phrase or "white clouds" in phrase)
            if phrase and not untrue:
                said.append(phrase)
    if rng.random() < 0.25:
        rng.shuffle(said)
    return said


def _place(facts: Facts, rng: random.Random) -> str:
    place = rng.choice(PLACES[facts.terrain]) if rng.random() < 0.88 else rng.choice(ANYWHERE)
    if facts.terrain == "meadow" and facts.flowers > 0 and rng.random() < 0.4:
        place = rng.choice(["a flower meadow", "a field of flowers", "a meadow with wildflowers"])
    if facts.season == "winter" and rng.random() < 0.25:
        place = _described(place, "a", "snowy")
    if facts.season == "autumn" and rng.random() < 0.18:
        place = _described(place, "an", "autumn")
    if facts.weather == "fog" and rng.random() < 0.2:
        place = _described(place, "a", "foggy")
    return place


def _described(place: str, article: str, adjective: str) -> str:
    if place.startswith("a "):
        return place.replace("a ", f"{article} {adjective} ", 1)
    return f"{adjective} {place}"


def _things(facts: Facts, rng: random.Random) -> list[str]:
    """What stands in the place and in the sky, in random order."""
    things = [thing for name in _NAMERS if (thing := name(facts, rng))]
    rng.shuffle(things)
    return things


def _building(facts: Facts, rng: random.Random) -> str | None:
    if facts.building is None:
        return None
    houses = HOUSES_AT_NIGHT if facts.time == "night" else BUILT["house"]
    # a phrase is chosen for every kind of building: captions of old seeds depend on it
    named = {kind: rng.choice(houses if kind == "house" else phrases) for kind, phrases in BUILT.items()}
    return named[facts.building]


def _boat(facts: Facts, rng: random.Random) -> str | None:
    if not facts.boat:
        return None
    if facts.rowing_boat:
        return rng.choice(["a rowing boat", "a small boat", "a boat"])
    return rng.choice(["a sailboat", "a boat", "a sailing boat"])


def _lone_trees(facts: Facts, rng: random.Random) -> str | None:
    if not facts.trees or rng.random() >= 0.8:
        return None
    if facts.pines == facts.trees:
        return "a pine tree" if facts.trees == 1 else rng.choice(["pine trees", "fir trees", "pines", "trees"])
    if facts.pines == 0:
        return "a tree" if facts.trees == 1 else rng.choice(LONE_TREES[facts.season])
    return "trees"


def _forest(facts: Facts, rng: random.Random) -> str | None:
    if facts.forest <= 0.03 or rng.random() >= 0.5:
        return None
    if facts.conifer > 0.75:
        return rng.choice(["a pine forest", "a conifer forest", "pine trees"])
    return rng.choice(["a forest", "woods", "forest"])


def _mountains(facts: Facts, rng: random.Random) -> str | None:
    if facts.mountains <= 0.1 or facts.terrain in ("mountains", "mountain_lake") or rng.random() >= 0.5:
        return None
    return rng.choice(["mountains in the background", "mountains", "distant mountains", "snowy mountains"])


def _river(facts: Facts, rng: random.Random) -> str | None:
    if facts.water <= 0.04 or facts.terrain not in ("meadow", "hills") or rng.random() >= 0.7:
        return None
    return rng.choice(["a river", "a stream"])


def _flowers(facts: Facts, rng: random.Random) -> str | None:
    if facts.flowers <= 0 or facts.season != "summer" or rng.random() >= 0.6:
        return None
    return rng.choice(["flowers", "wildflowers", "a flower meadow"])


def _moon(facts: Facts, rng: random.Random) -> str | None:
    if facts.time != "night" or not facts.moon or rng.random() >= 0.5:
        return None
    if facts.full_moon:
        return rng.choice(["a full moon", "the moon", "a bright moon"])
    return rng.choice(["a crescent moon", "the moon", "moonlight"])


def _aurora(facts: Facts, rng: random.Random) -> str | None:
    if facts.time != "night" or not facts.aurora or rng.random() >= 0.9:
        return None
    return rng.choice(["northern lights", "the aurora", "aurora borealis"])


def _milky_way(facts: Facts, rng: random.Random) -> str | None:
    if facts.time != "night" or not facts.milky_way or facts.weather != "clear" or rng.random() >= 0.4:
        return None
    return rng.choice(["the milky way", "milky way"])


def _sun(facts: Facts, rng: random.Random) -> str | None:
    if facts.time == "night" or not facts.sun or rng.random() >= 0.35:
        return None
    if facts.time == "sunset":
        return rng.choice(["the sun", "the setting sun", "a low sun"])
    return rng.choice(["the sun", "a bright sun"])


def _reflections(facts: Facts, rng: random.Random) -> str | None:
    if facts.water <= 0.15 or rng.random() >= 0.15 or facts.terrain not in ("mountain_lake", "forest_lake"):
        return None
    return rng.choice(["reflections", "reflections in the water"])


_NAMERS: tuple[Callable[[Facts, random.Random], str | None], ...] = (
    _building,
    _boat,
    _lone_trees,
    _forest,
    _mountains,
    _river,
    _flowers,
    _moon,
    _aurora,
    _milky_way,
    _sun,
    _reflections,
)
