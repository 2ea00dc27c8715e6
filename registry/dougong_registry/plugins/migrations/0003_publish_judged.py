from django.db import migrations
from django.db.models import F


def publish(apps, schema_editor):
    """Offer what had passed before there was a word for it."""
    release = apps.get_model("plugins", "Release")
    passed = apps.get_model("runs", "Run").objects.filter(outcome="passed")
    release.objects.filter(
        sealed_at__isnull=False, pk__in=passed.values("submission__release")
    ).update(published_at=F("sealed_at"))


class Migration(migrations.Migration):

    dependencies = [
        ("plugins", "0002_offered"),
        ("runs", "0002_decisions"),
    ]

    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
