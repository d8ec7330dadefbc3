"""A picture larger than the model sees, painted finer than it was worked at: two passes, the second in windows."""

from pathlib import Path

from overpaint import Editor, decode, images

PHOTO = Path(__file__).parent / "summit.jpg"
SIZE = (1536, 1024)
PROMPT = "Same scene at night with stars, hills and mountains"


def main() -> None:
    """Write night.png and night-finer.png, and say how each was worked."""
    photo = images.resize(decode.load(PHOTO).rgb, SIZE)
    with Editor() as editor:
        night = editor.edit(photo, PROMPT, preset="scene", seed=7, detail=0)  # at the model's own size, then enlarged
        finer = editor.edit(night.pixels, PROMPT, strength=0.3, size="input", seed=7)  # strong enough for what is fine
    for name, result in (("night.png", night), ("night-finer.png", finer)):
        result.save(name)
        windows = result.recipe.made_with.get("windows", "one")
        print(f"{name}: worked at {result.working_size}, windows: {windows}, {result.seconds:.0f} s")


if __name__ == "__main__":
    main()
