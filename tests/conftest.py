import pytest

from tests.fakes import FakeThread


@pytest.fixture
def thread() -> FakeThread:
    return FakeThread()
