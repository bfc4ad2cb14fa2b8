from __future__ import annotations

from django.urls import path

from followups.pages import (
    action_views,
    bulk_views,
    change_views,
    export_views,
    hand_over_views,
    hold_views,
    import_views,
    new_views,
    schedule_views,
    series_views,
    views,
)

app_name = "followups"

urlpatterns = [
    path("", views.index, name="index"),
    path("new/", new_views.new, name="new"),
    path("new/check/", new_views.check, name="check_new"),
    path("export/", export_views.export_rows, name="export"),
    path("import/", import_views.file, name="import"),
    path("import/example/", import_views.example, name="import_example"),
    path("import/<int:pk>/columns/", import_views.columns, name="import_columns"),
    path("import/<int:pk>/check/", import_views.check, name="import_check"),
    path("import/<int:pk>/result/", import_views.result, name="import_result"),
    path("import/<int:pk>/report/", import_views.report, name="import_report"),
    path("rows/", views.rows, name="rows"),
    path("bulk/<int:pk>/", bulk_views.result, name="bulk_result"),
    path("bulk/<int:pk>/stop/", bulk_views.stop, name="bulk_stop"),
    path("bulk/<slug:action>/", bulk_views.change, name="bulk"),
    path("hold/", hold_views.hold, name="hold"),
    path("holds/<int:pk>/reason/", hold_views.reason, name="hold_reason"),
    path("holds/<int:pk>/release/", hold_views.release, name="release_hold"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/cancel/", action_views.cancel, name="cancel"),
    path("<int:pk>/keep/", action_views.keep, name="keep"),
    path("<int:pk>/move/", change_views.move, name="move"),
    path("<int:pk>/move/undo/", change_views.undo_move, name="undo_move"),
    path("<int:pk>/edit/", change_views.edit, name="edit"),
    path("<int:pk>/edit/check/", change_views.check, name="check_edit"),
    path("<int:pk>/duplicate/", schedule_views.duplicate, name="duplicate"),
    path("<int:pk>/send-now/", change_views.send_now, name="send_now"),
    path("<int:pk>/hand-over/", hand_over_views.hand_over, name="hand_over"),
    path("<int:pk>/end-series/", series_views.end_series, name="end_series"),
    path("<int:pk>/retry/", action_views.retry, name="retry"),
    path("<int:pk>/restore/", action_views.restore, name="restore"),
    path("<int:pk>/release/", action_views.release, name="release"),
    path("<int:pk>/delete/", action_views.delete, name="delete"),
    path("channels/<int:pk>/resume/", action_views.resume_channel, name="resume_channel"),
    path("schedule/<int:conversation_id>/", schedule_views.schedule, name="schedule"),
    path("schedule/<int:conversation_id>/check/", schedule_views.check, name="check"),
]
