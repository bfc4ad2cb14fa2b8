from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_coming_back")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="single_keys",
            field=models.BooleanField(db_default=True, default=True),
        ),
    ]
