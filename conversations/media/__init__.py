"""The files that contacts send: expected, fetched from WhatsApp, looked into, and handed out."""
