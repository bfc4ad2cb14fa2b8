from __future__ import annotations

import multiprocessing
from pathlib import Path
from queue import Empty

from kombu import Connection


def connect(folder: Path) -> Connection:
    for name in ("queue", "control"):
        (folder / name).mkdir(exist_ok=True)
    return Connection(
        "filesystem://localhost/",
        transport="trochai.broker:Transport",
        transport_options={
            "data_folder_in": str(folder / "queue"),
            "data_folder_out": str(folder / "queue"),
            "control_folder": str(folder / "control"),
        },
    )


def put_many(folder: Path, count: int) -> None:
    with connect(folder) as connection:
        channel = connection.default_channel
        for number in range(count):
            channel._put("celery", {"number": number})


def bind_many(folder: Path, name: str) -> None:
    with connect(folder) as connection:
        for number in range(50):
            connection.default_channel._queue_bind("exchange", "key", "", f"{name}{number}")


def in_processes(target, *arguments: tuple[object, ...]) -> list[multiprocessing.Process]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=each) for each in arguments]
    for process in processes:
        process.start()
    return processes


def test_a_message_is_never_read_half_written(tmp_path):
    [writer] = in_processes(put_many, (tmp_path, 500))
    received = []
    with connect(tmp_path) as connection:
        channel = connection.default_channel
        while writer.is_alive() or any((tmp_path / "queue").iterdir()):
            try:
                received.append(channel._get("celery")["number"])
            except Empty:
                continue
    writer.join()
    assert received == list(range(500))


def test_what_a_killed_process_left_is_dropped_and_the_next_message_comes(tmp_path):
    with connect(tmp_path) as connection:
        channel = connection.default_channel
        (tmp_path / "queue" / "0.celery.msg").write_text('{"number":')
        (tmp_path / "control" / "exchange.exchange").write_text("")
        channel._queue_bind("exchange", "key", "", "celery")
        channel._put("celery", {"number": 1})

        assert channel._get("celery") == {"number": 1}
        assert [row.queue for row in channel.get_table("exchange")] == ["celery"]
        assert list((tmp_path / "queue").iterdir()) == []


def test_processes_that_start_together_lose_no_queue(tmp_path):
    connect(tmp_path).release()
    processes = in_processes(bind_many, (tmp_path, "web"), (tmp_path, "beat"), (tmp_path, "worker"))
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with connect(tmp_path) as connection:
        assert len(connection.default_channel.get_table("exchange")) == 150


def test_a_deleted_queue_takes_its_messages_along(tmp_path):
    with connect(tmp_path) as connection:
        channel = connection.default_channel
        channel._queue_bind("exchange", "key", "", "reply")
        channel._put("reply", {"number": 1})
        channel._put("celery", {"number": 2})

        channel._delete("reply", "exchange", "key", "")

        assert channel.get_table("exchange") == []
        assert channel._size("reply") == 0
        assert channel._size("celery") == 1
