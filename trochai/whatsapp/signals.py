"""Facts that arrived by webhook, one signal a kind of fact.

Each is sent with ``channel`` (a ``Channel``) and ``event`` (a dataclass of
``trochai.whatsapp.webhooks.parsing``), inside the transaction of that one event: a receiver that raises
undoes the event, which is tried again.
"""

from __future__ import annotations

from django.dispatch import Signal

# event: InboundMessage. A customer wrote.
inbound_message = Signal()
# event: MessageStatus. Meta says what became of a message that was sent.
message_status = Signal()
# event: TemplateStatusUpdate. A template was approved, rejected, paused, …
template_status = Signal()
# event: TemplateEdit. A template's text was changed.
template_edit = Signal()
# event: TemplateQuality. A template's quality score changed.
template_quality = Signal()
# event: TemplateCategory. Meta moved a template to another category.
template_category = Signal()
# event: MarketingPreference. A customer stopped or resumed marketing messages.
marketing_preference = Signal()
# event: MessageEcho. A colleague wrote to a customer from the WhatsApp Business app.
message_echo = Signal()
# event: AccountEvent. Meta says something of the account.
account_event = Signal()
# channel: Channel, number: UnknownNumber. To its address came the first event of a number that is no channel.
number_unknown = Signal()
# channel: Channel. It cannot send, and its stop_code or stop_cause says why; its admins should know.
channel_stopped = Signal()
# organization_id: int. How many people one of its portfolios may write to first is another number now.
limit_told = Signal()
# channel: Channel. It is stopped for a reason of which only a message can tell whether it is over.
channel_needs_trial = Signal()
# channel: Channel, before: str. Where its user ids hold was ``before``, and is ``channel.portfolio`` now.
portfolio_known = Signal()
