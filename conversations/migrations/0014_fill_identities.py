"""A contact's one user id becomes a row: at the account of the channel on which it was met.

Its portfolio is not known yet; when Meta tells it, the row moves there. May run again.
"""

from django.db import migrations

BATCH = 500


def fill(apps, schema_editor):
    contacts = apps.get_model("conversations", "Contact").objects
    identities = apps.get_model("conversations", "Identity").objects
    channels = _Channels(apps)
    last = 0
    while batch := list(contacts.filter(pk__gt=last).exclude(whatsapp_user_id="").order_by("pk")[:BATCH]):
        for contact in batch:
            contact.user_ids = contact.whatsapp_user_id
            for account in channels.accounts_of(contact):
                identities.get_or_create(
                    organization_id=contact.organization_id,
                    portfolio=f"waba:{account}",
                    user_id=contact.whatsapp_user_id,
                    defaults={"contact": contact, "known_at": contact.created_at},
                )
        contacts.bulk_update(batch, ["user_ids"])
        last = batch[-1].pk


def empty(apps, schema_editor):
    contacts = apps.get_model("conversations", "Contact").objects
    for contact in contacts.exclude(user_ids="").iterator():
        newest = contact.identities.filter(retired_at=None).order_by("-known_at").first()
        contact.whatsapp_user_id = newest.user_id if newest else ""
        contact.save(update_fields=["whatsapp_user_id"])


class _Channels:
    def __init__(self, apps):
        self._channels = apps.get_model("whatsapp", "Channel").objects
        self._conversations = apps.get_model("conversations", "Conversation").objects

    def accounts_of(self, contact):
        met = self._conversations.filter(contact=contact).values_list("channel__waba_id", flat=True)
        any_account = self._channels.filter(organization=contact.organization_id).order_by("pk")
        return set(met) or set(any_account.values_list("waba_id", flat=True)[:1])


class Migration(migrations.Migration):
    dependencies = [("conversations", "0013_identities")]

    operations = [migrations.RunPython(fill, empty)]
