from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0027_agreed")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="is_only_started",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
