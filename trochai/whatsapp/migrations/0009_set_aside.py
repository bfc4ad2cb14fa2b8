from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('whatsapp', '0008_portfolios'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('processed_at__isnull', False), models.Q(('error', ''), _negated=True)), fields=['id'], name='webhook_delivery_set_aside'),
        ),
    ]
