FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin trochai
WORKDIR /app

# Dependencies change seldom: a layer of their own.
COPY requirements/base.txt requirements/base.txt
RUN pip install --require-hashes --requirement requirements/base.txt

COPY . .
# The settings that files with hashed names need; none of them stays in the image.
RUN DEBUG=0 VAR_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q . \
    && rm -r /tmp/build

USER trochai
EXPOSE 8000
CMD ["gunicorn", "trochai.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "8", "--no-control-socket"]
