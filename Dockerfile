# syntax=docker/dockerfile:1
# Perigee in a container: built with pip from the lock, run without root, pip or a compiler.
#
#   docker build -t perigee .
#   docker run -p 8080:8080 -v perigee:/var/lib/perigee perigee run --origin http://host.docker.internal:3000 \
#     --listen 0.0.0.0:8080 --data-dir /var/lib/perigee
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/perigee
COPY requirements.lock pyproject.toml LICENSE ./
# The lock also has the developers' tools; as constraints it only says which versions.
COPY edge ./edge
COPY origin_shield ./origin_shield
COPY tools ./tools
RUN /opt/perigee/bin/pip install --constraint requirements.lock . \
 && /opt/perigee/bin/python -m compileall -q /opt/perigee/lib \
 && /opt/perigee/bin/pip uninstall --yes --quiet pip

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/perigee --create-home --shell /usr/sbin/nologin perigee
COPY --from=build /opt/perigee /opt/perigee
ENV PATH=/opt/perigee/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /var/lib/perigee
USER 10001:10001
VOLUME /var/lib/perigee
EXPOSE 8080
# The admin port (metrics, health) listens on the container's own loopback unless --admin says otherwise.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["perigee"]
CMD ["run", "--config", "/etc/perigee/perigee.toml", "--data-dir", "/var/lib/perigee"]
