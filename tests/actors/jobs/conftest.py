import pytest

for name in (
    "doing",
    "promises_keeping",
    "promises_lasting",
    "promises_leaving",
    "promises_telling",
    "promises_working",
):
    pytest.register_assert_rewrite(f"tests.actors.jobs.{name}")
