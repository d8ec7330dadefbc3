"""Which of diffusers' schedulers is the peer of each of our samplers."""

import inspect
from typing import Any

import diffusers

from overpaint.samplers import SamplerName

# as diffusers must be told to do what its image-to-image pipeline with Stable Diffusion's own config does
PLAIN = {"timestep_spacing": "trailing", "set_alpha_to_one": True, "steps_offset": 0, "clip_sample": False}
PEERS: dict[SamplerName, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "dpm++2m": ("DPMSolverMultistepScheduler", {}),
    "dpm++3m": ("DPMSolverMultistepScheduler", {"solver_order": 3}),
    "dpm++2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}


def taken(kind: type, options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that the scheduler's constructor takes; each scheduler knows some of the words."""
    names = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
    return {name: value for name, value in options.items() if name in names}


def peer(sampler: SamplerName, **noise: Any) -> Any:
    """The peer of a sampler with this training noise, at trailing timesteps and down to clean."""
    name, options = PEERS[sampler]
    kind = getattr(diffusers, name)
    return kind(**taken(kind, {**PLAIN, **noise, **options}))


def knows_zero_snr(sampler: SamplerName) -> bool:
    """Whether the peer can rescale to zero terminal SNR."""
    return bool(taken(getattr(diffusers, PEERS[sampler][0]), {"rescale_betas_zero_snr": True}))
