"""How much memory this process takes, in the form in which AUTOMATIC1111 tells it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_UNAVAILABLE = {"error": "unavailable"}


def memory(device: "torch.device") -> dict[str, Any]:
    """Bytes of RAM, and of the GPU if the model is on one (``device``)."""
    return {"ram": _ram(), "cuda": _cuda(device) if device.type == "cuda" else _UNAVAILABLE}


def _ram() -> dict[str, Any]:
    """``free`` is what is there less what this process takes; that is how the clients know it."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        used = _resident()
    except (OSError, ValueError):
        return dict(_UNAVAILABLE)
    return {"free": total - used, "used": used, "total": total}


def _resident() -> int:
    """Bytes that this process holds in RAM; where the system does not tell, the most it ever held."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _cuda(device: "torch.device") -> dict[str, Any]:
    import torch

    free, total = torch.cuda.mem_get_info(device)
    told = torch.cuda.memory_stats(device)
    kinds = {"active": "active", "allocated": "allocated", "reserved": "reserved", "inactive": "inactive_split"}
    each = {
        name: {when: told[f"{theirs}_bytes.all.{when}"] for when in ("current", "peak")}
        for name, theirs in kinds.items()
    }
    events = {"retries": told["num_alloc_retries"], "oom": told["num_ooms"]}
    return {"system": {"free": free, "used": total - free, "total": total}, **each, "events": events}
