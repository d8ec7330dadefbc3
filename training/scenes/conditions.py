"""When a place is looked at: time of day, season and weather."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from training.scenes.batch import Batch
from training.scenes.names import SEASONS, TIMES, WEATHERS, Season, Time, Weather, number_of

Names: TypeAlias = str | int | Sequence[str | int] | Tensor


@dataclass(frozen=True, eq=False)
class Conditions(Batch):
    """n conditions, on the CPU or a device."""

    time: Tensor  # [n] int64, number in TIMES
    season: Tensor  # [n] int64, number in SEASONS
    weather: Tensor  # [n] int64, number in WEATHERS
    chances: Tensor  # [n,8] 0..1, read by the properties below

    def is_time(self, name: Time) -> Tensor:
        """[n] bool."""
        return self.time == TIMES.index(name)

    def is_season(self, name: Season) -> Tensor:
        """[n] bool."""
        return self.season == SEASONS.index(name)

    def is_weather(self, name: Weather) -> Tensor:
        """[n] bool."""
        return self.weather == WEATHERS.index(name)

    @property
    def zenith_hue(self) -> Tensor:
        return self.chances[:, 0]

    @property
    def horizon_hue(self) -> Tensor:
        return self.chances[:, 1]

    @property
    def sky_falloff(self) -> Tensor:
        return self.chances[:, 2]

    @property
    def sun_height(self) -> Tensor:
        return self.chances[:, 3]

    @property
    def sun_in_picture(self) -> Tensor:
        return self.chances[:, 4] < 0.35

    @property
    def haze(self) -> Tensor:
        return self.chances[:, 5]

    @property
    def misty(self) -> Tensor:
        return self.chances[:, 6] < 0.2

    @property
    def rainy(self) -> Tensor:
        return self.chances[:, 6] < 0.6

    @property
    def windy(self) -> Tensor:
        return self.chances[:, 7] > 0.55


def make_conditions(
    n: int, time: Names = "day", season: Names = "summer", weather: Names = "clear", seed: int = 0
) -> Conditions:
    """The conditions asked for, by name or number: one for all, or a sequence or tensor with one for each.

    ``seed`` draws what is left open (the sun's height, haze, wind ...). Give both pictures of a pair the same seed.
    """
    if n < 1:
        raise ValueError(f"n is {n}: conditions are made for at least one place")
    chances = torch.rand(n, 8, generator=torch.Generator().manual_seed(seed))
    return Conditions(
        _numbers(n, "time", TIMES, time),
        _numbers(n, "season", SEASONS, season),
        _numbers(n, "weather", WEATHERS, weather),
        chances,
    )


def sample_conditions(layouts: Sized, seed: int) -> Conditions:
    """Random conditions, one for each place. It snows only in winter, and there are no storms at night."""
    n = len(layouts)
    g = torch.Generator().manual_seed(seed)
    time = torch.multinomial(torch.tensor([0.52, 0.17, 0.09, 0.22]), n, True, generator=g)
    season = torch.multinomial(torch.tensor([0.64, 0.20, 0.16]), n, True, generator=g)
    weather = torch.multinomial(torch.tensor([0.50, 0.28, 0.09, 0.07, 0.06]), n, True, generator=g)
    clear, cloudy, _, storm, snowfall = range(len(WEATHERS))
    weather = torch.where((weather == snowfall) & (season != SEASONS.index("winter")), clear, weather)
    weather = torch.where((weather == storm) & (time == TIMES.index("night")), cloudy, weather)
    return make_conditions(n, time, season, weather, seed=seed + 1)


def _numbers(n: int, what: str, known: Sequence[str], values: Names) -> Tensor:
    if isinstance(values, str | int):
        values = [values] * n
    listed = values.tolist() if isinstance(values, Tensor) else list(values)
    if len(listed) != n:
        raise ValueError(f"{len(listed)} values of {what} for {n} places: give one for all or one for each")
    return torch.tensor([number_of(what, known, value) for value in listed])
