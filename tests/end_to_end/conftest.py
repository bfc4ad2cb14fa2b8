from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the end-to-end tests: they mostly wait, while other cores do the rest."""
    items.sort(key=lambda item: item.get_closest_marker("end_to_end") is None)
