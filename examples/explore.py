"""One prompt at four strengths, and four variations of one strength, each in one batch, on two labelled sheets."""

from pathlib import Path

from overpaint import Editor
from overpaint.sheet import Panel, sheet

PICTURE = Path(__file__).parent / "castle.jpg"
PROMPT = "An oil painting in the style of Van Gogh of a castle by a mountain lake"


def main() -> None:
    """Write strengths.png and variations.png."""
    with Editor() as editor:
        swept = editor.sweep(PICTURE, PROMPT, strengths=[0.2, 0.4, 0.6, 0.8], seed=7)
        panels = [Panel(r.image, f"strength {r.params.strength:g}", f"{r.signal:.0%} left") for r in swept]
        sheet([panels]).save("strengths.png")
        varied = editor.variations(PICTURE, PROMPT, n=4, strength=0.5, seed=7)
        sheet([[Panel(r.image, f"seed {r.seed}") for r in varied]]).save("variations.png")


if __name__ == "__main__":
    main()
