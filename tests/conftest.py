import pytest
from hypothesis import HealthCheck, settings

from tests.fakes import FakeThread

# A busy machine is slow now and then, which says nothing of the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture
def thread() -> FakeThread:
    return FakeThread()
