# crm-segments for a scheduler: an image that runs one command and ends.
#   docker build -t crm-segments .
#   docker run --rm --env-file secrets.env -v "$PWD:/work" crm-segments run
# /work holds config.toml and the state folder: a volume that lasts, because it holds the journal.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m venv /opt/crm-segments \
    && /opt/crm-segments/bin/pip install --no-cache-dir --constraint .ci/constraints.txt '.[excel,mysql,postgres]'

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 segments && install --directory --owner segments /work
COPY --from=build /opt/crm-segments /opt/crm-segments
ENV PATH=/opt/crm-segments/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
ENTRYPOINT ["crm-segments"]
CMD ["status"]
