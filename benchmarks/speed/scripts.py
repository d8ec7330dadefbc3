"""The stand-alone programs that ``processes`` runs: what users of either library would write, and nothing more."""

from pathlib import Path

from benchmarks.speed.work import Task
from overpaint.checkpoint import embedded_folder

OUR_LOAD = """\
from overpaint import Editor

Editor(device="cpu").close()
"""

# all that an edit was found to have loaded at its end, in the order in which it came
OUR_MODULES = """\
import sys

import numpy as np

from overpaint import Editor

with Editor(device="cpu") as editor:
    editor.edit(np.zeros((64, 64, 3), np.uint8), "a lake", size="input", steps=2)
for name, module in list(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    if name != "__main__" and spec is not None and spec.name == name and spec.has_location:
        print(name)
"""
OUR_IMPORT = """\
import sys
from importlib import import_module

with open(sys.argv[1]) as names:
    for name in names:
        import_module(name.strip())
"""

PEER_IMPORT = """\
from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline
"""
_PEER_LOAD = """\
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionImg2ImgPipeline

pipe = StableDiffusionImg2ImgPipeline.from_pretrained({folder!r}{dtype})
pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
pipe.set_progress_bar_config(disable=True)
"""
_CHANNELS_LAST = """\
pipe.unet.to(memory_format=torch.channels_last)
pipe.vae.to(memory_format=torch.channels_last)
"""
_PEER_EDIT = """\
from PIL import Image

result = pipe(
    {prompt!r},
    image=Image.open({picture!r}).convert("RGB").resize(({side}, {side})),
    strength={task.strength},
    num_inference_steps={task.steps},
    guidance_scale={task.guidance},
    generator=torch.Generator().manual_seed({task.seed}),
)
assert pipe.num_timesteps == {task.calls}
result.images[0].save({out!r})
"""


def peer_load() -> str:
    """As diffusers' documentation tells people."""
    return _PEER_LOAD.format(folder=str(embedded_folder()), dtype="")


def best_load() -> str:
    """Its best."""
    return _PEER_LOAD.format(folder=str(embedded_folder()), dtype=", dtype=torch.bfloat16") + _CHANNELS_LAST


def edit(picture: Path, prompt: str, task: Task, side: int, out: Path) -> str:
    """What follows the loading: one edit of a file, to a file."""
    return _PEER_EDIT.format(prompt=prompt, picture=str(picture), side=side, task=task, out=str(out))
