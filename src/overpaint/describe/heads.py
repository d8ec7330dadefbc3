"""What the judge can tell of a picture: its heads, each with its classes, in the renderer's order."""

HEADS: dict[str, tuple[str, ...]] = {
    "terrain": (
        "mountain lake", "mountains", "hills", "sea", "desert", "forest", "meadow", "snowfield", "river valley",
        "canyon", "coast cliffs", "forest lake",
    ),
    "time": ("day", "sunset", "dawn", "night"),
    "season": ("summer", "winter", "autumn"),
    "weather": ("clear", "cloudy", "fog", "storm", "snowfall"),
    "style": (
        "photo", "oil", "vangogh", "watercolor", "pencil", "digital", "pixel", "flat", "sketch", "lines", "degraded",
    ),
    "building": ("none", "house", "cabin", "church", "castle", "lighthouse", "windmill"),
    "boat": ("no", "yes"),
    "trees": ("no", "yes"),
    "flowers": ("no", "yes"),
    "sound": ("broken", "intact"),
}  # fmt: skip
CLASSES = sum(map(len, HEADS.values()))

SIDE = 128  # pixels a side of what the judge sees
FEATURES = 128  # numbers that it makes of a picture, before the heads
