from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("conversations", "0010_queue_what_is_being_sent")]

    operations = [migrations.RemoveIndex(model_name="message", name="message_sending")]
