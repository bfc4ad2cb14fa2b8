from __future__ import annotations

import pytest

from followups.models import Status
from tests.factories import FollowUpFactory


@pytest.mark.parametrize("status", Status)
@pytest.mark.django_db
def test_the_factory_makes_a_row_of_each_status(status):
    assert FollowUpFactory(status=status).status == status
