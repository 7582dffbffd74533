"""All of train.py on a pretend GPU (tests/helpers/pretend_gpu.py), for machines without one."""

import pytest
from torch.utils import backend_registration

from tests.helpers.scripts import run_python

possible = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")


@pytest.mark.skipif(not possible, reason="this PyTorch has no devices in Python")
def test_on_a_pretend_gpu_what_on_pretend_gpu_py_says_holds():
    options = ["-q", "-n", 0, "-p", "tests.helpers.pretend_gpu", "-p", "no:cacheprovider"]  # before the project
    done = run_python("-m", "pytest", *options, "tests/runs/on_pretend_gpu.py")
    assert done.code == 0, done.out[-6000:] + done.err
