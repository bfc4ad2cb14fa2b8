"""The same rows in SQLite: ``python -m tests.benchmarks.copied postgres://…`` fills the database it is given.

By the models' fields, so that each value is stored as the product stores it there.
"""

from __future__ import annotations

import argparse

import dj_database_url
import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from trochai import statistics

SOURCE = "source"


def copy() -> None:
    """Copy each table of which nothing is here; those that migrations fill are the same on both sides."""
    # Foreign keys are looked at when the transaction ends, so the order does not matter.
    with transaction.atomic(), connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.proxy or model._base_manager.exists():
                continue
            fields = model._meta.concrete_fields
            rows = (
                model._base_manager.using(SOURCE)
                .order_by("pk")
                .values_list(*(each.attname for each in fields))
            )
            names = ", ".join(connection.ops.quote_name(str(each.column)) for each in fields)
            cursor.executemany(
                f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({', '.join(['%s'] * len(fields))})",
                (
                    [
                        each.get_db_prep_save(value, connection)
                        for each, value in zip(fields, row, strict=True)
                    ]
                    for row in rows.iterator()
                ),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="the address of a PostgreSQL database")
    settings.DATABASES[SOURCE] = dj_database_url.parse(parser.parse_args().source)
    django.setup()
    call_command("migrate", verbosity=0)
    copy()
    statistics.take()


if __name__ == "__main__":
    main()
