"""Every page of the product, for tests that owe something to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse

from tests import factories

if TYPE_CHECKING:
    from tests.conftest import Team


def every_page(team: Team, *, search: str, **follow_up: Any) -> list[str]:
    """Make a follow-up in each state for the team's conversation; return the addresses of all pages.

    Their admin may open each of them; ``search`` is what the lists are searched for.
    """
    failed, pending, *_ = [
        factories.FollowUpFactory(
            organization=team.organization,
            conversation=team.conversation,
            template=team.template,
            created_by=team.agent.user,
            status=status,
            **follow_up,
        )
        for status in ("failed", "pending", "canceled", "sent")
    ]
    tags = [
        factories.TagFactory(organization=team.organization, name=name, tone=tone)
        for name, tone in (
            ("Documents missing", "red"),
            ("From abroad", "jade"),
            ("W" * 24, "blue"),
            ("Buyer", "grey"),
        )
    ]
    team.conversation.tags.set(tags)
    inbox, follow_ups = reverse("conversations:inbox"), reverse("followups:index")
    return [
        inbox,
        f"{inbox}?q={search}",
        f"{inbox}?tag={tags[0].pk},{tags[2].pk}",
        reverse("conversations:tags"),
        reverse("conversations:start"),
        reverse("conversations:conversation", args=[team.conversation.pk]),
        follow_ups,
        f"{follow_ups}?q={search}&status=canceled",
        reverse("followups:detail", args=[failed.pk]),
        reverse("followups:delete", args=[failed.pk]),
        reverse("followups:cancel", args=[pending.pk]),
        reverse("followups:move", args=[pending.pk]),
        reverse("followups:schedule", args=[team.conversation.pk]) + f"?template={team.template.pk}",
        reverse("conversations:send_template", args=[team.conversation.pk]),
        reverse("templates:index"),
        reverse("notifications:index"),
        reverse("accounts:shortcuts"),
    ]
