"""The words of captions for what a picture shows. Phrases stand in a list more than once to be said more often."""

from training.scenes.names import Building, Season, Terrain, Time, Weather

PLACES: dict[Terrain, list[str]] = {
    "mountain_lake": [
        "a mountain lake",
        "a lake in the mountains",
        "an alpine lake",
        "a lake with mountains",
        "mountains and a lake",
        "a mountain landscape with a lake",
        "mountains reflected in a lake",
        "a calm lake below the mountains",
    ],
    "mountains": [
        "mountains",
        "a mountain landscape",
        "a mountain range",
        "snowy mountain peaks",
        "an alpine landscape",
        "high mountains",
        "a mountain view",
    ],
    "hills": [
        "rolling hills",
        "green hills",
        "a hilly landscape",
        "hills",
        "the countryside",
        "a countryside landscape",
    ],
    "sea": ["the sea", "the ocean", "a seascape", "a beach", "the coast", "a beach by the sea", "ocean waves"],
    "desert": ["a desert", "sand dunes", "desert dunes", "a desert landscape", "a sandy desert"],
    "forest": [
        "a forest",
        "the woods",
        "a forest landscape",
        "a forest clearing",
        "trees at the edge of a forest",
        "a woodland",
    ],
    "meadow": ["a meadow", "a field", "a grassy meadow", "a green field", "grassland", "a meadow landscape"],
    "snowfield": ["a snowy landscape", "a snowfield", "snow covered hills", "snowy mountains", "a snowy field"],
    "river_valley": [
        "a river valley",
        "a river",
        "a valley with a river",
        "a river between the hills",
        "a winding river",
        "a mountain river",
    ],
    "canyon": ["a canyon", "a red rock canyon", "red rocks", "a rocky desert", "cliffs in the desert"],
    "coast_cliffs": [
        "cliffs by the sea",
        "a rocky coast",
        "sea cliffs",
        "a coastline with cliffs",
        "the rocky seashore",
    ],
    "forest_lake": [
        "a forest lake",
        "a lake in the forest",
        "a lake surrounded by trees",
        "a lake",
        "a pond in the woods",
        "a quiet lake",
    ],
}

ANYWHERE = [
    "a landscape",
    "a beautiful landscape",
    "nature",
    "a scene",
    "a scenic view",
    "an outdoor scene",
    "a landscape",
]

# an empty phrase: what goes without saying
IN_TIME: dict[Time, list[str]] = {
    "day": [
        "",
        "",
        "",
        "",
        "on a sunny day",
        "in daylight",
        "by day",
        "during the day",
        "in the daytime",
        "on a bright day",
    ],
    "sunset": [
        "at sunset",
        "at sunset",
        "in the evening",
        "with a golden sunset",
        "at dusk",
        "during golden hour",
        "in evening light",
        "under an orange sky",
    ],
    "dawn": ["at dawn", "at sunrise", "in the early morning", "in the morning light", "on a misty morning"],
    "night": [
        "at night",
        "at night",
        "at night with stars",
        "at night with stars",
        "under a starry sky",
        "under the stars",
        "with a starry night sky",
        "starry night",
        "on a starry night",
        "in the dark",
        "at midnight",
    ],
}

IN_SEASON: dict[Season, list[str]] = {
    "summer": ["", "", "", "", "", "in summer", "in spring"],
    "winter": [
        "in winter",
        "in winter",
        "covered in snow",
        "with snow",
        "in the snow",
        "snowy",
        "in a snowy winter",
        "covered with snow",
        "winter",
    ],
    "autumn": [
        "in autumn",
        "in autumn",
        "in fall",
        "with autumn colors",
        "with autumn leaves",
        "with orange autumn trees",
        "in october",
        "autumn",
    ],
}

IN_WEATHER: dict[Weather, list[str]] = {
    "clear": ["", "", "", "under a clear sky", "with a clear blue sky", "in clear weather"],
    "cloudy": ["", "under a cloudy sky", "with clouds", "with dramatic clouds", "cloudy", "with white clouds"],
    "fog": ["in fog", "in the mist", "on a foggy day", "foggy", "misty", "with thick fog"],
    "storm": [
        "in a storm",
        "under storm clouds",
        "on a rainy day",
        "with dark storm clouds",
        "in the rain",
        "stormy weather",
    ],
    "snowfall": ["in falling snow", "while it snows", "with snowfall", "in a snow storm", "with snowflakes"],
}

BUILT: dict[Building, list[str]] = {
    "house": ["a house", "a small house", "a farmhouse", "a house", "a cottage"],
    "cabin": ["a cabin", "a wooden cabin", "a log cabin", "a hut"],
    "church": ["a church", "a small church", "a chapel"],
    "castle": ["a castle", "an old castle", "a fairy tale castle"],
    "lighthouse": ["a lighthouse", "a tall lighthouse"],
    "windmill": ["a windmill", "an old windmill"],
}

HOUSES_AT_NIGHT = ["a house", "a small house", "a farmhouse", "a house with lit windows", "a cottage"]

LONE_TREES: dict[Season, list[str]] = {
    "summer": ["trees", "a few trees", "round trees", "green trees"],
    "winter": ["trees", "a few trees", "round trees", "bare trees"],
    "autumn": ["trees", "a few trees", "round trees", "orange trees"],
}

SAME_PLACE = ["same scene", "the same scene", "same place", "the same place", "the same view", "scene"]
