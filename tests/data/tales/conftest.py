import pytest

from data.tales.stories import stories


@pytest.fixture(scope="session")
def many():
    return list(stories(4000, seed=3))
