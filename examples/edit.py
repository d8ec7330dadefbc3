"""A day turned to night, step by step on the terminal, and a second edit cancelled half way."""

from pathlib import Path

from overpaint import EditCancelled, Editor, EditRequest, StepEvent

HERE = Path(__file__).parent


def show(event: StepEvent) -> None:
    """Called after every step; ``event.preview`` is a small picture of what the result would be now."""
    print(f"step {event.step} of {event.steps} (t = {event.t:.0f})")


def main() -> None:
    """Edit, save, and cancel."""
    with Editor() as editor:
        result = editor.edit(
            HERE / "mountains.jpg",
            "Same scene at night with stars, mountains above a meadow",
            preset="scene",
            seed=7,
            on_step=show,
        )
        result.save("night.png")
        print(f"night.png: started at t = {result.t0}, {result.signal:.0%} of the picture left, {result.seconds:.1f} s")

        job = editor.submit(EditRequest(HERE / "castle.jpg", "A watercolor painting of a castle", seed=7))
        for event in job.events():
            if event.step == event.steps // 2:
                job.cancel()
        try:
            job.result()
        except EditCancelled as e:
            print(e)


if __name__ == "__main__":
    main()
