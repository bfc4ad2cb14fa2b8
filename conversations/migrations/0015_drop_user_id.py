from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("conversations", "0014_fill_identities")]

    operations = [
        migrations.RemoveField("contact", "whatsapp_user_id"),
        migrations.AddConstraint(
            "contact",
            models.CheckConstraint(
                condition=~Q(phone="") | ~Q(user_ids="") | Q(merged_into__isnull=False),
                name="contact_can_be_reached",
            ),
        ),
    ]
