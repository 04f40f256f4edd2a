"""What tests of fine-tuning share."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Torch in one thread: models as small as those of the tests are slower with more."""
    import torch  # which takes seconds, and not every test here needs it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
