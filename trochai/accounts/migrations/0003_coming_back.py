import trochai.accounts.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_purge_sessions'),
    ]

    operations = [
        migrations.AddField(
            model_name='organization',
            name='country',
            field=models.CharField(db_default='CR', default='CR', max_length=2, validators=[trochai.accounts.models.validate_country]),
        ),
        migrations.AddField(
            model_name='organization',
            name='returns_to_scheduler',
            field=models.BooleanField(db_default=True, default=True, help_text='When a follow-up goes out in a conversation that nobody has or that is closed, it is opened and assigned to whoever scheduled it. If a colleague has it, both are told.'),
        ),
    ]
