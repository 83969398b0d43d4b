# The exporter: the image that the Airflow Variable `image_name` names. Pods run `stellar-etl` in it, with arguments only.
# The base is pinned by its exact version; to pin its content, add the digest that
# `docker buildx imagetools inspect python:3.11.15-slim-bookworm` prints.
FROM python:3.11.15-slim-bookworm AS build
COPY requirements/exporter.txt /build/
# Only wheels, at their locked versions and hashes, in an environment without pip.
RUN python -m venv --without-pip /opt/stellar-etl && \
    pip --python /opt/stellar-etl/bin/python install --no-cache-dir --only-binary :all: --require-hashes -r /build/exporter.txt
COPY stellar_etl /opt/stellar-etl/lib/python3.11/site-packages/stellar_etl
COPY schemas /opt/stellar-etl/lib/python3.11/site-packages/stellar_etl/schemas
RUN printf '#!/opt/stellar-etl/bin/python\nfrom stellar_etl.cli import main\nmain()\n' > /opt/stellar-etl/bin/stellar-etl && \
    chmod 755 /opt/stellar-etl/bin/stellar-etl && \
    /opt/stellar-etl/bin/python -m compileall -q /opt/stellar-etl/lib/python3.11/site-packages/stellar_etl

FROM python:3.11.15-slim-bookworm
COPY --from=build /opt/stellar-etl /opt/stellar-etl
ENV PATH="/opt/stellar-etl/bin:$PATH"
# By number, so that a cluster can see that it is not root (runAsNonRoot).
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["stellar-etl"]
