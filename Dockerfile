# The service in a slim image: docker build -t waqia . && docker run --rm -p 127.0.0.1:8080:8080 waqia
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE ./
COPY src src
RUN python -m venv /opt/waqia && /opt/waqia/bin/pip install --no-cache-dir --constraint constraints.txt ".[serve]"

FROM python:3.11-slim
# onnxruntime must not write about the machine or call home.
ENV ORT_DISABLE_TELEMETRY=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/waqia/bin:$PATH
COPY --from=build /opt/waqia /opt/waqia
RUN useradd --system --no-create-home --uid 10001 waqia
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
# Inside the container every address is listened on; which of them the outside reaches is up to `docker run -p`.
ENTRYPOINT ["waqia", "serve", "--host", "0.0.0.0", "--port", "8080"]
