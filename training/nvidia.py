"""An NVIDIA GPU that is here and that PyTorch does not use: why not, and what to do about it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch

LINUX_GPUS = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU that the driver has found
INSTALL = "https://pytorch.org/get-started/locally"


def why_no_cuda() -> str | None:
    """Why the NVIDIA GPU of this machine cannot be used, and the remedy, in one line.

    None where PyTorch uses it, where there is none, and where CUDA_VISIBLE_DEVICES hides it.
    """
    if torch.cuda.is_available() or torch.version.hip:
        return None
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1") or not nvidia_gpu():
        return None
    version = torch.__version__.partition("+")[0]
    if torch.version.cuda is None:
        return (
            f"there is an NVIDIA GPU, but this PyTorch ({torch.__version__}) is built for the CPU only: "
            f"{INSTALL} has the command that installs torch=={version} for CUDA"
        )
    try:
        torch.cuda.init()
        why = "it finds none"
    except Exception as error:  # a RuntimeError of the driver's, or another of a broken installation
        why = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"there is an NVIDIA GPU, but this PyTorch (for CUDA {torch.version.cuda}) cannot use it ({why.rstrip('.')}): "
        f"update NVIDIA's driver, or install torch=={version} for an older CUDA, see {INSTALL}"
    )


def nvidia_gpu() -> bool:
    """Whether there are an NVIDIA GPU and its driver, by what the system and the driver's own tool say."""
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "nvcuda.dll").exists()
    if any(LINUX_GPUS.glob("*")):
        return True
    tool = shutil.which("nvidia-smi")  # also in WSL, which has no /proc/driver
    try:
        return tool is not None and subprocess.run([tool, "-L"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
