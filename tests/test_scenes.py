"""The rendered scenes show what they were asked for, the same place is the same place, and words fit pictures.

Pictures are compared with each other and not with stored ones: the last bits differ between processors.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.scenes import (
    FAULTS,
    HELD_OUT_SEED,
    SEASONS,
    STYLES,
    TERRAINS,
    TIMES,
    WEATHERS,
    Geometry,
    Look,
    Renderer,
    Shot,
    Style,
    Styler,
    caption,
    draw,
    facts,
    faults,
    held_out,
    is_held_out_seed,
    make_conditions,
    quality_caption,
    sample_conditions,
    sample_layouts,
)
from training.scenes.styles.filters import luminance

PLACES = 24
SIZE = 64
SEED = 3  # of what a condition leaves open, the same for all pictures here


@cache
def renderer() -> Renderer:
    return Renderer(SIZE)


@cache
def geometry() -> Geometry:
    return renderer().geometry(held_out(PLACES))


@cache
def shot(time: str = "day", season: str = "summer", weather: str = "clear") -> Shot:
    return renderer().shade(geometry(), make_conditions(PLACES, time, season, weather, seed=SEED))


@cache
def styled(style: Style) -> Tensor:
    return Styler(renderer())(style, shot(), seed=1)  # [n,3,h,w]


def inside(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the pixels of a mask [n,1,h,w], for each picture; masks are never empty here."""
    return (x * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))


def warmth(shot: Shot) -> Tensor:
    return (shot.rgb[:, 0] - shot.rgb[:, 2]).mean((1, 2))


def outlines(shot: Shot) -> Tensor:
    """Strength of edges on land (the sky has stars at night), normalised for correlation: [n, pixels]."""
    grey = luminance(shot.rgb)
    e = (grey[..., 1:, 1:] - grey[..., :-1, 1:]).abs() + (grey[..., 1:, 1:] - grey[..., 1:, :-1]).abs()
    e = F.avg_pool2d(e * (shot.cover[..., 1:, 1:] > 0.5), 3).sqrt().flatten(1)
    return F.normalize(e - e.mean(1, keepdim=True), dim=1)


# ---------------------------------------------------------------------------------------------------- the same place


def test_same_seed_same_bytes() -> None:
    looks = [Look(), Look("night", "winter", style="vangogh"), Look(weather="storm", style="degraded")]
    places = sample_layouts(3, 7)
    first, second = draw(places, looks, size=SIZE), draw(sample_layouts(3, 7), looks, size=SIZE)
    assert torch.equal(first, second)
    assert first.shape == (3, 3, 3, SIZE, SIZE)
    assert not torch.equal(first[0], draw(sample_layouts(3, 8), looks[:1], size=SIZE)[0])
    assert not torch.equal(first[1], draw(places, looks[1:2], size=SIZE, style_seed=2)[0])


def test_a_place_alone_is_the_place_among_others() -> None:
    numbers = [17, 2, 23]  # another order, too: nothing may depend on the position in the batch
    conditions = make_conditions(PLACES, "night", seed=SEED)
    among = shot("night")[numbers]
    alone = renderer().shade(renderer().geometry(held_out(PLACES)[numbers]), conditions[numbers])
    torch.testing.assert_close(alone.rgb, among.rgb, atol=1e-5, rtol=0)
    torch.testing.assert_close(geometry()[numbers].surface.z, renderer().geometry(held_out(PLACES)[numbers]).surface.z)
    # not so for styles: their random numbers are drawn for a whole batch
    assert not torch.equal(Styler(renderer())("oil", among), Styler(renderer())("oil", shot("night"))[numbers])


@pytest.mark.parametrize("time", ["night", "sunset"])
def test_day_and_night_share_their_structure(time: str) -> None:
    similar = outlines(shot()) @ outlines(shot(time)).T  # [n,n] correlation of each place by day with each at night
    same = similar.diagonal()
    other = (similar.sum() - same.sum()) / (PLACES * (PLACES - 1))
    assert same.mean() > 0.8
    assert other < 0.5
    assert (similar.argmax(1) == torch.arange(PLACES)).float().mean() > 0.8


def test_sizes_show_the_same_place() -> None:
    large = Renderer(96)
    drawn = large.shade(large.geometry(held_out(PLACES)[:6]), make_conditions(PLACES, seed=SEED)[:6]).rgb
    reduced = F.interpolate(drawn, size=(16, 16), mode="area")
    torch.testing.assert_close(reduced, F.avg_pool2d(shot().rgb[:6], 4), atol=0.35, rtol=0)
    assert (reduced - F.avg_pool2d(shot().rgb[:6], 4)).abs().mean() < 0.04


# ------------------------------------------------------------------------------------------------------- conditions


def test_night_is_darker_than_day() -> None:
    assert (luminance(shot("night").rgb).mean((1, 2, 3)) < luminance(shot().rgb).mean((1, 2, 3)) - 0.1).all()


def test_sunset_is_warmer_than_day_and_dawn_between() -> None:
    assert (warmth(shot("sunset")) > warmth(shot()) + 0.03).all()
    assert warmth(shot()).mean() < warmth(shot("dawn")).mean() < warmth(shot("sunset")).mean()


def test_winter_is_whiter_than_summer() -> None:
    land = (shot().cover > 0.5) & (shot().water < 0.5)  # [n,1,h,w]
    open_land = ~held_out(PLACES).is_terrain("snowfield", "desert", "sea", "coast_cliffs")
    least = [s.rgb.amin(1, keepdim=True) for s in (shot(season="winter"), shot())]  # white has no weak channel
    winter, summer = (inside(x, land)[open_land] for x in least)
    assert open_land.sum() > 10
    assert (winter > summer + 0.05).all()


@pytest.mark.parametrize("kind", ["forests", "lone trees"])
def test_leaves_are_redder_in_autumn(kind: str) -> None:
    none, full = torch.zeros(PLACES), torch.ones(PLACES)
    only = {"forest": full, "tree_count": none} if kind == "forests" else {"forest": -full, "tree_count": 7 * full}
    places = replace(held_out(PLACES), conifer=none, building=torch.full((PLACES,), -1), **only)
    leafy = renderer().geometry(places)
    summer, autumn = (
        renderer().shade(leafy, make_conditions(PLACES, season=season, seed=SEED)) for season in ("summer", "autumn")
    )
    trees = summer.trees > 0.5
    rows = trees.sum((1, 2, 3)) > 40
    red = [inside(s.rgb[:, :1] - s.rgb[:, 1:2], trees)[rows] for s in (summer, autumn)]
    assert rows.sum() > 8
    assert (red[1] > red[0] + 0.02).all()
    assert red[1].mean() > red[0].mean() + 0.1


def test_fog_takes_detail_and_clouds_cover_the_sky() -> None:
    land = ((shot().cover > 0.5) & (shot().water < 0.5))[..., 1:, :]  # [n,1,h-1,w]
    rows = land.sum((1, 2, 3)) > 50
    foggy, clear = (
        inside((x[..., 1:, :] - x[..., :-1, :]).abs(), land)[rows]
        for x in (luminance(shot(weather="fog").rgb), luminance(shot().rgb))
    )
    assert rows.sum() > 15
    assert (foggy < clear).all()
    assert foggy.mean() < 0.75 * clear.mean()
    assert (shot(weather="cloudy").clouds > shot().clouds).float().mean() > 0.8
    assert luminance(shot(weather="storm").rgb).mean() < luminance(shot().rgb).mean()


def test_snowfall_and_storms_keep_to_their_time() -> None:
    sampled = sample_conditions(range(2000), seed=1)
    assert sampled.is_season("winter")[sampled.is_weather("snowfall")].all()
    assert not sampled.is_time("night")[sampled.is_weather("storm")].any()
    for number, names in ((sampled.time, TIMES), (sampled.season, SEASONS), (sampled.weather, WEATHERS)):
        assert set(number.tolist()) == set(range(len(names)))


def test_conditions_by_name_number_and_one_for_each() -> None:
    named = make_conditions(2, ["night", "day"], "winter", "fog", seed=5)
    numbered = make_conditions(2, torch.tensor([3, 0]), 1, [2, 2], seed=5)
    for field in ("time", "season", "weather", "chances"):
        assert torch.equal(getattr(named, field), getattr(numbered, field))


# ----------------------------------------------------------------------------------------------------------- styles


def test_every_style_is_its_own() -> None:
    for one, other in combinations(STYLES, 2):
        assert (styled(one) - styled(other)).abs().mean() > 0.02, (one, other)
    for style in STYLES:
        assert styled(style).min() >= 0
        assert styled(style).max() <= 1


@pytest.mark.parametrize("style", ["pencil", "lines"])
def test_drawings_are_grey(style: Style) -> None:
    x = styled(style)
    assert (x.amax(1) - x.amin(1)).mean() < 0.05 < (shot().rgb.amax(1) - shot().rgb.amin(1)).mean()


def test_pixel_art_is_made_of_squares() -> None:
    def changing_columns(x: Tensor) -> Tensor:
        return ((x[..., 1:] - x[..., :-1]).abs().amax((1, 2)) > 0).float().mean(1)  # [n]

    assert (changing_columns(styled("pixel")) < 0.2).all()
    assert (changing_columns(styled("photo")) > 0.9).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_degraded_pictures_have_their_fault(fault: str) -> None:
    def detail(x: Tensor) -> Tensor:
        return (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).square().mean((1, 2, 3)).sqrt()

    def contrast(x: Tensor) -> Tensor:
        return luminance(x).std((1, 2, 3))

    good = styled("photo")
    assert faults(PLACES, 1) == faults(PLACES, 1)
    seen: list[Tensor] = []
    for seed in (1, 2):
        bad = Styler(renderer())("degraded", replace(shot(), rgb=good), seed)
        rows = [i for i, name in enumerate(faults(PLACES, seed)) if name == fault]
        measure = contrast if fault == "faded" else detail
        seen.append(measure(bad)[rows] / measure(good)[rows])
    ratio = torch.cat(seen)
    assert len(ratio) >= 5
    if fault == "noisy":
        assert ratio.mean() > 1.2
    elif fault == "blocks":
        assert (ratio - 1).abs().max() > 0.02
    else:
        assert ratio.mean() < 0.8


# ------------------------------------------------------------------------------------------------ facts and captions


def test_facts_are_what_was_asked_for() -> None:
    places, known = held_out(PLACES), facts(geometry(), shot("night", "winter", "fog"))
    assert [TERRAINS.index(fact.terrain) for fact in known] == places.terrain.tolist()
    assert {(fact.time, fact.season, fact.weather) for fact in known} == {("night", "winter", "fog")}
    assert any(fact.moon for fact in known)
    assert not any(fact.moon or fact.aurora for fact in facts(geometry(), shot()))
    for fact, cover in zip(known, shot().cover.mean((1, 2, 3)).tolist(), strict=True):
        assert fact.sky == pytest.approx(1 - cover, abs=0.01)
        if fact.terrain in ("sea", "mountain_lake", "forest_lake", "coast_cliffs"):
            assert fact.water > 0.01
        if fact.terrain in ("desert", "canyon", "forest"):
            assert fact.water == 0
        if fact.terrain == "desert":
            assert fact.trees == 0
    assert any(fact.building for fact in known)
    assert any(fact.boat for fact in known)


def test_captions_name_what_is_shown() -> None:
    fact = replace(facts(geometry(), shot())[0], terrain="canyon", time="night", season="winter", weather="clear")

    def words(style: Style) -> str:
        rng = random.Random(1)
        return " | ".join(caption(fact, style, rng) for _ in range(200))

    names: dict[Style, str] = {"vangogh": "van gogh", "oil": "oil painting", "pixel": "pixel art", "lines": "line "}
    for style, word in names.items():
        text = words(style)
        assert text.count(word) > 80
        assert text.count("canyon") > 20
        assert text.count("night") > 60
        assert text.count("snow") + text.count("winter") > 60
        assert "sunset" not in text
        assert "blue sky" not in text
        assert "autumn" not in text
    assert "van gogh" not in words("photo")


def test_captions_belong_to_their_seed_and_name_faults() -> None:
    fact = facts(geometry(), shot())[0]
    a, b = random.Random(4), random.Random(4)
    assert [caption(fact, "photo", a) for _ in range(20)] == [caption(fact, "photo", b) for _ in range(20)]
    rng = random.Random(5)
    noisy = [caption(fact, "degraded", rng, "noisy") for _ in range(100)]
    assert 30 < sum("noisy, " in text or "grainy, " in text for text in noisy) < 70
    assert all("photo" in quality_caption(fact, rng) for _ in range(50))


# ---------------------------------------------------------------------------------------------------------- held out


def test_held_out_places_are_never_trained_on() -> None:
    # what the embedded model was trained on: batches of seeds seed * 100003 + 17 * batch
    trained = [seed * 100003 + 17 * batch for seed in (1, 3, 8, 10) for batch in range(2000)]
    assert not any(is_held_out_seed(seed) for seed in trained)
    assert is_held_out_seed(HELD_OUT_SEED)
    places = held_out(8).seed
    for seed in trained[::400]:
        assert not (sample_layouts(8, seed).seed[:, None] == places).all(2).any()
    assert not (held_out(400, offset=1).seed[:, None] == held_out(400).seed).all(2).any()


def test_held_out_places_of_one_terrain() -> None:
    deserts = held_out(5, "desert")
    assert deserts.is_terrain("desert").all()
    assert len(deserts) == 5
    assert len({tuple(seed) for seed in deserts.seed.tolist()}) == 5
    assert torch.equal(held_out(3, TERRAINS.index("desert")).seed, deserts[:3].seed)


def test_batches_can_be_indexed() -> None:
    places = held_out(6)
    assert torch.equal(places[-1].seed, places.seed[5:])
    assert torch.equal(places[[4, 0]].river, places.river[[4, 0]])
    assert torch.equal(places[places.terrain < 3].seed, places.seed[places.terrain < 3])
    assert torch.equal(geometry()[2].trees[3].z, geometry().trees[3].z[2:3])
    assert len(shot()[2:5]) == len(shot()[2:5].conditions) == 3
    with pytest.raises(IndexError, match="6 entries"):
        places[6]


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_conditions(2, time="noon"), "unknown time 'noon': known are day, sunset, dawn, night"),
        (lambda: make_conditions(2, season="spring"), "unknown season 'spring'"),
        (lambda: make_conditions(2, weather=7), "unknown weather 7: known are clear"),
        (lambda: make_conditions(2, time=["day"]), "1 values of time for 2 places"),
        (lambda: make_conditions(0), "n is 0"),
        (lambda: sample_layouts(0, 1), "n is 0"),
        (lambda: held_out(3, "moon"), "unknown terrain 'moon': known are mountain_lake"),  # type: ignore[arg-type]
        (lambda: held_out(401), "1..400"),
        (lambda: held_out(200, "canyon"), "of terrain 'canyon'"),
        (lambda: held_out(1, offset=1000), "held-out sets are 0..999"),
        (lambda: Renderer(100), "multiple of 16"),
        (lambda: Renderer(64, supersampling=0.5), "must be 64 or more"),
        (lambda: Styler(renderer())("cubism", shot()), "unknown style 'cubism': known are photo"),  # type: ignore[arg-type]
        (lambda: renderer().shade(geometry(), make_conditions(2)), "2 conditions for 24 places"),
        (lambda: caption(facts(geometry(), shot())[0], "cubism", random.Random(1)), "unknown style"),  # type: ignore[arg-type]
        (lambda: draw(held_out(1), []), "no looks"),
    ],
)
def test_bad_names_and_numbers(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
