"""When contacts have come to be found under another number, for those who scheduled something before."""

from __future__ import annotations

from django.db import models


class NumberChange(models.Model):
    """A contact had the number ``before``, as people write it, until we heard of another one."""

    contact = models.ForeignKey(
        "conversations.Contact", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    before = models.CharField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        # It has no page in the admin.
        default_permissions = ()
        indexes = [
            # attention.numbers: what has become of the numbers of some contacts.
            models.Index(fields=["contact", "at"], name="number_change_of_contact"),
            # attention.numbers.purge
            models.Index(fields=["at"], name="number_change_at"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.at.isoformat()}"
