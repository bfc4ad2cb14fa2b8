import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0008_search_index"),
        ("whatsapp", "0005_claims_of_deliveries"),
    ]

    operations = [
        migrations.CreateModel(
            name="QueuedMessage",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="queued",
                        serialize=False,
                        to="conversations.message",
                    ),
                ),
                (
                    "conversation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="conversations.conversation",
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="whatsapp.channel"
                    ),
                ),
                ("written_at", models.DateTimeField()),
                ("claim_token", models.UUIDField(null=True)),
                ("lease_expires_at", models.DateTimeField(null=True)),
                ("requested_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
