"""A picture that says how it was made: saved, read back, and made again at other strengths."""

from pathlib import Path

from overpaint import Editor, read_recipe

PICTURE = Path(__file__).parent / "castle.jpg"
PROMPT = "An oil painting in the style of Van Gogh of a castle by a mountain lake"


def main() -> None:
    """Write painted.png, and gentle.jpg from painted.png's own recipe."""
    with Editor() as editor:
        editor.edit(PICTURE, PROMPT, preset="style", seed=7).save("painted.png")
        recipe = read_recipe("painted.png")
        print(f"painted.png: {recipe.params.prompt!r}, strength {recipe.params.strength}, seed {recipe.params.seed}")
        again = editor.redo("painted.png", PICTURE)
        print(f"made again: {'the same' if again.recipe == recipe else 'another'} recipe")
        editor.redo("painted.png", PICTURE, strength=0.3).save("gentle.jpg")


if __name__ == "__main__":
    main()
