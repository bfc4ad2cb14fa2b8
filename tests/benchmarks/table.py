"""A table of follow-ups of any size: ``python -m tests.benchmarks.table --rows 1000000`` fills a database.

On ten numbers of five organizations; with ``--others 200`` nine tenths belong to one organization with ten
numbers, and the rest to 200 small ones. Each conversation has ten: eight sent, one pending in the next 90
days, and one failed or canceled. PostgreSQL only.
"""

from __future__ import annotations

import argparse

import django
from django.core.management import call_command
from django.db import connection, transaction

LINES = 10
# Rows that a benchmark adds have higher ids.
FIRST_ADDED = 1_000_000_000
VALUES = {
    "parameters": '{"body.1": "María", "body.2": "Casa EC-204", "body.3": "sábado 28"}',
    "shape": '["body.1", "body.2", "body.3"]',
}

FUNCTIONS = """
    CREATE FUNCTION line_of(conversation bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS $$
        SELECT CASE WHEN %(others)s > 0 AND conversation / 10 %% 10 = 9
                    THEN %(lines)s + conversation / 100 %% greatest(%(others)s, 1)
                    ELSE conversation %% %(lines)s END
    $$;
    -- Some first names are a hundred times as frequent as others, as in life.
    CREATE FUNCTION contact_name(n bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
        SELECT (array['María', 'José', 'Ana', 'Luis', 'Sofía', 'Carlos', 'Daniela', 'Andrés', 'Lucía', 'Zoé'])
                   [1 + floor(10 * power(hashint8(n) & 1023, 2) / power(1024, 2))::int]
               || ' ' || (array['Jiménez', 'Mora', 'Rojas', 'Vargas', 'Solano'])
                   [1 + (hashint8(n + 7) & 1023) %% 5]
               || ' ' || (array['Alfaro', 'Brenes', 'Castro', 'Duarte', 'Esquivel', 'Fallas', 'Granados'])
                   [1 + (hashint8(n + 13) & 1023) %% 7]
    $$;
    -- As trochai.search folds it.
    CREATE FUNCTION searched(n bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$
        SELECT translate(lower(contact_name(n)), 'áéíóúñ', 'aeioun') || E'\\n+506' || lpad(n::text, 8, '0')
    $$;
"""
CONTACTS = """
    INSERT INTO conversations_contact (id, organization_id, name, phone, search_text,
           created_at)
    SELECT n, organization_id, contact_name(n), '+506' || lpad(n::text, 8, '0'), searched(n), now()
      FROM generate_series(1, %(conversations)s) n JOIN line ON line.number = line_of(n)
"""
CONVERSATIONS = """
    INSERT INTO conversations_conversation (id, organization_id, channel_id, contact_id, status, unread_count,
           last_message_at, preview, search_text, preview_is_outbound, preview_kind, last_outbound_at,
           created_at)
    SELECT n, organization_id, channel_id, n, 'open', 0, now() - n * interval '1 second', 'Hola',
           searched(n) || E'\\nhola', true, 'template',
           now() - n * interval '1 second' - interval '1 day', now()
      FROM generate_series(1, %(conversations)s) n JOIN line ON line.number = line_of(n)
"""
MESSAGES = """
    INSERT INTO conversations_message (id, conversation_id, channel_id, uuid, direction, kind, text, content,
           template_name, language, whatsapp_id, delivery, error_cause, error_values, sent_by_id, at,
           created_at)
    SELECT n, conversation, channel_id, gen_random_uuid(), 'out', 'template',
           'Hola María, le recordamos su visita a Casa EC-204 el sábado 28.', '{}', 'visit_reminder', 'es',
           'wamid.' || n, 'read', '', '{}', creator_id, at, at
      FROM (SELECT n, 1 + n / 100 * 10 + n %% 10 AS conversation, now() - n * interval '6 seconds' AS at
              FROM generate_series(0, %(rows)s - 1) n
             WHERE n / 10 %% 10 < 8) message
      JOIN line ON line.number = line_of(conversation)
"""
FOLLOW_UPS = """
    INSERT INTO followups_followup (id, organization_id, channel_id, conversation_id, template_id, parameters,
           shape, note, cancel_on_reply, created_by_id, created_at, submission, search_text, status,
           scheduled_for, next_attempt_at, failures, sent_at, message_id, failed_at, failure_kind,
           failure_code, failure_cause, failure_values, canceled_at, cancel_cause)
    SELECT n, organization_id, channel_id, conversation, template_id, %(parameters)s, %(shape)s, '', false,
           creator_id, at - interval '7 days', gen_random_uuid(), searched(conversation), status, at,
           CASE status WHEN 'pending' THEN at END, 0,
           CASE status WHEN 'sent' THEN at END, CASE status WHEN 'sent' THEN n END,
           CASE status WHEN 'failed' THEN at END, CASE status WHEN 'failed' THEN 'permanent' ELSE '' END,
           CASE status WHEN 'failed' THEN 131026 END,
           '', '{}',
           CASE status WHEN 'canceled' THEN at END, CASE status WHEN 'canceled' THEN 'member' ELSE '' END
      FROM (SELECT n, status, 1 + n / 100 * 10 + n %% 10 AS conversation, CASE status WHEN 'pending'
                   THEN now() + interval '1 day' + random() * interval '89 days'
                   ELSE now() - n * interval '6 seconds' END AS at
              FROM generate_series(0, %(rows)s - 1) n
             CROSS JOIN LATERAL (SELECT CASE WHEN n / 10 %% 10 < 8 THEN 'sent'
                                             WHEN n / 10 %% 10 = 8 THEN 'pending'
                                             WHEN n %% 5 < 3 THEN 'failed' ELSE 'canceled' END) kind (status)
           ) follow_up
      JOIN line ON line.number = line_of(conversation)
"""
# Each conversation has one that waits.
MARKS = """
    UPDATE conversations_conversation SET waiting_count = waiting.count
      FROM (SELECT conversation_id, count(*) FROM followups_followup WHERE next_attempt_at IS NOT NULL
             GROUP BY 1) waiting
     WHERE id = conversation_id
"""
ADD_DUE = """
    INSERT INTO followups_followup (id, organization_id, channel_id, conversation_id, template_id, parameters,
           shape, note, cancel_on_reply, created_by_id, created_at, submission, search_text, status,
           scheduled_for, next_attempt_at, failures, failure_kind, failure_cause, failure_values,
           cancel_cause)
    SELECT %(first)s + row_number() OVER (ORDER BY conversation.id), organization_id, channel_id,
           conversation.id, template_id, %(parameters)s, %(shape)s, '', false, creator_id, now(),
           gen_random_uuid(), 'due', 'pending', due_at, due_at, 0, '', '', '{}', ''
      FROM conversations_conversation conversation
      JOIN line USING (organization_id, channel_id)
     CROSS JOIN (SELECT now() - interval '1 minute' AS due_at) moment
     WHERE line.number < %(lines)s
     ORDER BY conversation.id
     LIMIT %(count)s
"""

BEGIN = """
    UPDATE followups_followup
       SET status = 'processing', claim_token = gen_random_uuid(), requested_at = now(),
           lease_expires_at = now() + interval '2 minutes', reconcile_until = now() + interval '10 minutes'
     WHERE id IN (SELECT id FROM followups_followup WHERE id > %(first)s ORDER BY id DESC LIMIT %(count)s)
"""


def add_due(count: int, *, lines: int) -> None:
    """Add ``count`` rows that are due at one instant, on the first ``lines`` numbers."""
    with connection.cursor() as cursor:
        cursor.execute(ADD_DUE, {**VALUES, "first": FIRST_ADDED, "count": count, "lines": lines})
        cursor.execute("VACUUM ANALYZE followups_followup")


def begin(count: int) -> None:
    """Mark the last ``count`` of those as being sent, unknown to the statistics as in a burst."""
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, {"first": FIRST_ADDED, "count": count})


def remove_due() -> None:
    """Remove what ``add_due`` added."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM followups_followup WHERE id > %s", [FIRST_ADDED])
        cursor.execute("VACUUM ANALYZE followups_followup")


def make_lines(others: int) -> None:
    """Make organizations and numbers, and what the statements above join and call."""
    from tests import factories

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE line (number int, organization_id bigint, channel_id bigint, template_id bigint,"
            " creator_id bigint)"
        )
        cursor.execute(FUNCTIONS, {"others": others, "lines": LINES})
        for number in range(LINES + others):
            if number >= LINES or number % (LINES if others else 2) == 0:
                organization = factories.OrganizationFactory()
            member = factories.MembershipFactory(organization=organization)
            channel = factories.ChannelFactory(organization=organization, messages_per_second=1000)
            template = factories.TemplateFactory(channel=channel, name=f"visit_reminder_{number}")
            cursor.execute(
                "INSERT INTO line VALUES (%s, %s, %s, %s, %s)",
                [number, member.organization_id, channel.pk, template.pk, member.user_id],
            )


def fill(rows: int) -> None:
    # At least 10,000 conversations on one number.
    values = {**VALUES, "rows": rows, "conversations": max(10_000 * LINES, rows // 10)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            # The rows fit by construction: looking up each foreign key would take most of the time.
            cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (CONTACTS, CONVERSATIONS, MESSAGES, FOLLOW_UPS, MARKS):
            cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="a multiple of 100")
    parser.add_argument("--others", type=int, default=0, help="small organizations beside one large one")
    options = parser.parse_args()
    django.setup()
    call_command("migrate", verbosity=0)
    make_lines(options.others)
    fill(options.rows)


if __name__ == "__main__":
    main()
