"""Strengths against seeds on one sheet, what each edit kept, a strength by goal, and a look around a good result."""

from pathlib import Path

from overpaint import Editor
from overpaint.sheet import Panel, sheet

PICTURE = Path(__file__).parent / "castle.jpg"
PROMPT = "An oil painting in the style of Van Gogh of a castle by a mountain lake"


def main() -> None:
    """Write strengths.png, kept.png and variations.png."""
    with Editor() as editor:
        swept = editor.sweep(PICTURE, PROMPT, strengths=[0.2, 0.4, 0.6, 0.8], against={"seed": [7, 8]}, starts=True)
        swept.sheet().save("strengths.png")
        kept = editor.edit(PICTURE, PROMPT, keep=0.97, keep_measure="structure", seed=7)
        kept.save("kept.png")
        print(kept.warnings[-1])
        varied = editor.variations(PICTURE, PROMPT, n=4, strength=0.5, seed=7, variation=(1, 0.2))
        sheet([[Panel(r.image, f"variation {r.params.variation}") for r in varied]]).save("variations.png")


if __name__ == "__main__":
    main()
