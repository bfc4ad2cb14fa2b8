FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

RUN groupadd --system --gid 10001 trochai \
    && useradd --system --uid 10001 --gid trochai --home-dir /app --shell /usr/sbin/nologin trochai
WORKDIR /app

# Dependencies change seldom: a layer of their own.
COPY requirements/base.txt requirements/base.txt
# The lock is complete: nothing is resolved, so nothing newer can come in or get in the way.
RUN pip install --no-deps --require-hashes --requirement requirements/base.txt

# Owned by root: what runs may read it and not change it.
COPY . .
# The settings that files with hashed names need; none of them stays in the image.
RUN VAR_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q . \
    && rm -r /tmp/build
# A volume that is mounted here gets its owner from it.
RUN install --directory --owner 10001 --group 10001 /media

# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8000
# PORT 8000, whatever the host publishes. /dev/shm: a heartbeat file on a slow disk would look like a hang.
CMD ["gunicorn", "trochai.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
