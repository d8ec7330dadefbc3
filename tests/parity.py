"""Our latents against those of diffusers' own pipelines on the same weights and noise.

``python tests/parity.py`` prints the table of docs/samplers.md.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from peers import PEERS, peer
from torch import Tensor

from overpaint import decode, images
from overpaint.edit_task import EditTask
from overpaint.engine import Engine
from overpaint.levels import CLEAN, Level
from overpaint.model import DiffusionModel
from overpaint.prepare import prepare
from overpaint.request import EditRequest
from overpaint.samplers import SamplerName, rows_for
from overpaint.trajectory import Trajectory

# what diffusers does otherwise on purpose or by habit, and what is compared instead (docs/samplers.md)
ONLY_FROM_THE_START = {"lms"}  # entered midway it uses memory that it does not have
ENDS_AT_T0 = {"deis"}  # its last level is t = 0, not clean
OWN_GRID = {"lcm"}  # takes its levels from its training grid
PROMPT, NEGATIVE, GUIDANCE, SEED = "a castle by a lake at night", "day", 3.0, 5
CELLS = 16  # a side of a generated latent


class LatentTask(EditTask):
    """An edit whose result is its clean latent."""

    def finish(self, model: DiffusionModel, trajectory: Trajectory) -> Callable[[], Tensor]:
        return lambda: trajectory.x


def ours(
    model: DiffusionModel, picture: images.Pixels | None, sampler: SamplerName, steps: int, strength: float
) -> Tensor:
    """Our latent, [1, C, h, w], through the engine."""
    request = EditRequest(
        picture, PROMPT, negative_prompt=NEGATIVE, guidance_scale=GUIDANCE, seed=SEED, steps=steps, sampler=sampler,
        strength=strength, size=(CELLS * model.pixels_per_cell,) * 2 if picture is None else "input", detail=0,
    )  # fmt: skip
    task = prepare(request, model, kind=LatentTask)
    task = replace(task, levels=levels_of_the_peer(sampler, task.levels, model, steps))
    task.rows = rows_for(sampler, task.levels, model.noise.at_ratio)
    with Engine(lambda: model) as engine:
        result: Tensor = engine.submit(task).result()
    return result


def levels_of_the_peer(sampler: SamplerName, levels: list[Level], model: DiffusionModel, steps: int) -> list[Level]:
    if sampler in ENDS_AT_T0:
        return [*levels[:-1], model.noise.at(0)]
    if sampler in OWN_GRID:
        theirs = scheduler(sampler, model)
        theirs.set_timesteps(steps, original_inference_steps=50)
        return [*(model.noise.at(int(t)) for t in theirs.timesteps[1 - len(levels) :]), CLEAN]
    return levels


def scheduler(sampler: SamplerName, model: DiffusionModel) -> Any:
    config = diffusers.DDIMScheduler.load_config(model.folder / "scheduler")
    words = ("beta_start", "beta_end", "beta_schedule", "prediction_type", "rescale_betas_zero_snr")
    return peer(sampler, **{word: config[word] for word in words})


def theirs(
    model: DiffusionModel, picture: images.Pixels | None, sampler: SamplerName, steps: int, strength: float
) -> Tensor:
    """The latent of diffusers' pipeline for the same weights, noise and levels."""
    kind = StableDiffusionPipeline if picture is None else StableDiffusionImg2ImgPipeline
    pipe = pipeline(kind, model.folder)
    pipe.scheduler = scheduler(sampler, model)
    generator = torch.Generator().manual_seed(SEED)
    given: dict[str, Any] = {"generator": generator}
    if picture is None:
        side = CELLS * model.pixels_per_cell
        eps = torch.randn(1, model.channels, CELLS, CELLS, generator=generator)
        pipe.scheduler.set_timesteps(steps)
        first = model.noise.at(model.noise.timesteps - 1)
        given |= {"latents": eps if pipe.scheduler.init_noise_sigma == 1 else eps / first.sigma}
        given |= {"width": side, "height": side}
    else:
        given |= {"image": images.to_pil(picture), "strength": strength}
    given |= {"negative_prompt": NEGATIVE, "guidance_scale": GUIDANCE, "num_inference_steps": steps}
    out: Tensor = pipe(PROMPT, output_type="latent", **given).images
    return out


@cache
def pipeline(kind: Any, folder: Path) -> Any:
    """diffusers' pipeline over the folder, loaded once."""
    pipe = kind.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.to(memory_format=torch.channels_last)
    return pipe


def difference(a: Tensor, b: Tensor) -> float:
    """Relative: |a - b| / |b|."""
    return float((a - b).norm() / b.norm())


def main() -> None:
    """Print the table."""
    sys.path.insert(0, str(Path(__file__).parent))
    from conftest import EXAMPLES

    model = DiffusionModel.load(device="cpu", dtype="float32")
    picture = images.resize(decode.load(EXAMPLES / "castle.jpg").rgb, (128, 128))
    print(
        "| sampler | diffusers' scheduler | strength .5, 10 steps | strength 1, 10 steps |\n| --- | --- | --- | --- |"
    )
    for sampler, (name, options) in PEERS.items():
        cells = []
        for strength, source in ((0.5, picture), (1.0, None)):
            if strength < 1 and sampler in ONLY_FROM_THE_START:
                cells.append("not comparable")
            else:
                args = (model, source, sampler, 10, strength)
                cells.append(f"{difference(ours(*args), theirs(*args)):.1e}")
        shown = name + "".join(f", {k}={v}" for k, v in options.items())
        print(f"| `{sampler}` | {shown} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
