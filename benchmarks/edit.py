"""One edit and four edits against diffusers' img2img on the same weights, picture, steps and guidance, taken in turns.

python benchmarks/edit.py [--repeat 5]

diffusers runs as its documentation tells people to use it, and with channels_last, which we use too. Also: what it
takes to import and to load.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from turns import in_turns, seconds

from overpaint import Editor, EditRequest, decode, images
from overpaint.checkpoint import embedded_folder

STEPS, STRENGTH, GUIDANCE, SIDE = 30, 0.6, 3.0, 256
PROMPT = "An oil painting in the style of Van Gogh of a castle by a mountain lake"
PICTURE = Path(__file__).parent.parent / "examples" / "castle.jpg"


def peer(channels_last: bool) -> Any:
    """diffusers' pipeline with the default solver of ours, at one network call a step."""
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline

    pipe = StableDiffusionImg2ImgPipeline.from_pretrained(embedded_folder())
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    if channels_last:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    return pipe


def fresh_process(code: str) -> float:
    """Wall time of a new interpreter that runs ``code``."""
    command = [sys.executable, "-c", code]
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    picture = images.to_pil(images.resize(decode.load(PICTURE).rgb, (SIDE, SIDE)))
    options: dict[str, Any] = {"steps": STEPS, "strength": STRENGTH, "guidance_scale": GUIDANCE, "detail": 0, "seed": 7}
    with Editor(dtype="float32") as editor:
        pipes = {"diffusers": peer(False), "diffusers, channels_last": peer(True)}

        def theirs(pipe: Any, n: int) -> None:
            for _ in range(n):
                pipe(PROMPT, image=picture, strength=STRENGTH, num_inference_steps=STEPS, guidance_scale=GUIDANCE)

        def ours(n: int) -> None:
            requests = [EditRequest(picture, PROMPT, size="input", **options) for _ in range(n)]
            assert len(list(editor.edit_many(requests))) == n

        for n in (1, 4):
            work: dict[str, Callable[[], object]] = {"overpaint": lambda n=n: ours(n)}
            work |= {name: lambda pipe=pipe, n=n: theirs(pipe, n) for name, pipe in pipes.items()}
            times = in_turns(work, repeat)
            mine = statistics.median(times["overpaint"])
            print(f"{n} x {SIDE} px, {STEPS} steps x {STRENGTH:g}, {torch.get_num_threads()} threads, float32")
            for name, taken in times.items():
                median = statistics.median(taken)
                print(f"  {name:25} {median:6.2f} s   {median / mine:.2f}x")
    loading = "from overpaint import Editor; Editor(dtype='float32').close()"
    print(f"import and load, new process: {fresh_process(loading):.1f} s")
    helping = "from overpaint.cli.app import app; app(['--help'], standalone_mode=False)"
    print(f"overpaint --help, new process: {fresh_process(helping):.2f} s")


if __name__ == "__main__":
    main()
