"""The option `--update-inventory`, which rewrites the golden files. Their diff is the review."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-inventory", action="store_true", help="rewrite the golden inventories"
    )


@pytest.fixture(scope="session")
def is_updating(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-inventory", default=False))
