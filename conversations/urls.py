from __future__ import annotations

from django.urls import path

from conversations.pages import (
    erase_views,
    managing,
    media_views,
    palette,
    start_views,
    template_views,
    views,
)

app_name = "conversations"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("tags/", managing.tags, name="tags"),
    path("replies/", managing.saved_replies, name="saved_replies"),
    path("start/", start_views.start, name="start"),
    path("start/check/", start_views.check, name="start_check"),
    path("go/", palette.go, name="go"),
    path("older/", views.older, name="older"),
    path("poll/", views.poll, name="poll"),
    path("<int:pk>/", views.conversation, name="conversation"),
    path("<int:pk>/earlier/", views.earlier, name="earlier"),
    path("<int:pk>/reply/", views.reply, name="reply"),
    path("<int:pk>/note/", views.note, name="note"),
    path("<int:pk>/template/", template_views.send_template, name="send_template"),
    path("<int:pk>/tag/", views.tag, name="tag"),
    path("<int:pk>/contact/", views.contact, name="contact"),
    path("<int:pk>/erase/", erase_views.erase, name="erase"),
    path("<int:pk>/wants/", views.wants, name="wants"),
    path("<int:pk>/saved/", views.saved, name="saved"),
    path("<int:pk>/unread/", views.unread, name="unread"),
    path("<int:pk>/writing/", views.writing, name="writing"),
    path("<int:pk>/update/", views.update, name="update"),
    path("messages/<int:pk>/retry/", views.retry, name="retry"),
    path("<int:pk>/files/", media_views.upload, name="upload"),
    path("uploads/<uuid:uuid>/", media_views.preview, name="preview"),
    path("files/<int:pk>/", media_views.file, name="file"),
    path("files/<int:pk>/thumbnail/", media_views.thumbnail, name="thumbnail"),
]
