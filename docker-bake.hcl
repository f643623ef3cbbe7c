# Builds every image: `docker buildx bake`; the tests' images: `docker buildx bake test`.
# Names, targets and arguments are docker-compose.yml's; a variable is taken from the environment, else from here.

variable "CLICKPULSE_VERSION" { default = "0.1.0" }
variable "CLICKPULSE_UID" { default = "1000" }
variable "CLICKPULSE_GID" { default = "1000" }
variable "PYTHON_IMAGE" { default = "python:3.11.16-slim-bookworm" }
variable "CLICKHOUSE_IMAGE" { default = "clickhouse:26.3.20.7-jammy" }
variable "PROMETHEUS_IMAGE" { default = "prom/prometheus:v3.5.0" }
variable "GRAFANA_IMAGE" { default = "grafana/grafana:12.1.1" }
# SHA-256 of the ClickHouse sink's archive: see docs/deployment.md.
variable "CONNECT_SINK_SHA256" { default = "" }
variable "CONNECT_SINK_ARCHIVE" { default = "" }

group "default" {
  targets = ["broker", "registry", "connect", "clickhouse", "clickhouse-setup", "s3", "spark", "airflow", "producer",
    "report-api", "dashboard"]
}

group "monitoring" {
  targets = ["prometheus", "grafana"]
}

group "test" {
  targets = ["test-broker", "test-connect", "test-clickhouse", "test-s3", "test-spark", "test-airflow", "test-producer",
    "test-report-api", "test-dashboard"]
}

target "_common" {
  context = "."
  args = {
    PYTHON_IMAGE   = PYTHON_IMAGE
    CLICKPULSE_UID = CLICKPULSE_UID
    CLICKPULSE_GID = CLICKPULSE_GID
  }
}

target "broker" {
  inherits   = ["_common"]
  dockerfile = "broker/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/broker:${CLICKPULSE_VERSION}"]
}

target "registry" {
  inherits   = ["_common"]
  dockerfile = "registry/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/registry:${CLICKPULSE_VERSION}"]
}

target "connect" {
  inherits   = ["_common"]
  dockerfile = "connect/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/connect:${CLICKPULSE_VERSION}"]
  args = {
    CONNECT_SINK_SHA256  = CONNECT_SINK_SHA256
    CONNECT_SINK_ARCHIVE = CONNECT_SINK_ARCHIVE
  }
}

target "sink" {
  inherits   = ["_common"]
  dockerfile = "connect/Dockerfile"
  target     = "sink"
  tags       = ["clickpulse/sink:${CLICKPULSE_VERSION}"]
}

target "clickhouse" {
  inherits   = ["_common"]
  dockerfile = "clickhouse/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/clickhouse:${CLICKPULSE_VERSION}"]
  args = {
    CLICKHOUSE_IMAGE = CLICKHOUSE_IMAGE
  }
}

target "clickhouse-setup" {
  inherits   = ["_common"]
  dockerfile = "clickhouse/Dockerfile"
  target     = "setup"
  tags       = ["clickpulse/clickhouse-setup:${CLICKPULSE_VERSION}"]
}

target "s3" {
  inherits   = ["_common"]
  dockerfile = "s3/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/s3:${CLICKPULSE_VERSION}"]
}

target "spark" {
  inherits   = ["_common"]
  dockerfile = "spark/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/spark:${CLICKPULSE_VERSION}"]
}

target "airflow" {
  inherits   = ["_common"]
  dockerfile = "dags/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/airflow:${CLICKPULSE_VERSION}"]
}

target "airflow-submit" {
  inherits   = ["_common"]
  dockerfile = "dags/Dockerfile"
  target     = "submit"
  tags       = ["clickpulse/airflow-submit:${CLICKPULSE_VERSION}"]
}

target "producer" {
  inherits   = ["_common"]
  dockerfile = "producer/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/producer:${CLICKPULSE_VERSION}"]
}

target "report-api" {
  inherits   = ["_common"]
  dockerfile = "dashboard_api/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/report-api:${CLICKPULSE_VERSION}"]
}

target "dashboard" {
  inherits   = ["_common"]
  dockerfile = "dashboard_ui/Dockerfile"
  target     = "runtime"
  tags       = ["clickpulse/dashboard:${CLICKPULSE_VERSION}"]
}

target "prometheus" {
  dockerfile = "monitoring/Dockerfile"
  target     = "prometheus"
  tags       = ["clickpulse/prometheus:${CLICKPULSE_VERSION}"]
  args = {
    CLICKPULSE_UID   = CLICKPULSE_UID
    CLICKPULSE_GID   = CLICKPULSE_GID
    PROMETHEUS_IMAGE = PROMETHEUS_IMAGE
    GRAFANA_IMAGE    = GRAFANA_IMAGE
  }
}

target "grafana" {
  dockerfile = "monitoring/Dockerfile"
  target     = "grafana"
  tags       = ["clickpulse/grafana:${CLICKPULSE_VERSION}"]
  args = {
    CLICKPULSE_UID   = CLICKPULSE_UID
    CLICKPULSE_GID   = CLICKPULSE_GID
    PROMETHEUS_IMAGE = PROMETHEUS_IMAGE
    GRAFANA_IMAGE    = GRAFANA_IMAGE
  }
}

target "test-broker" {
  inherits   = ["_common"]
  dockerfile = "broker/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-broker:${CLICKPULSE_VERSION}"]
}

target "test-connect" {
  inherits   = ["_common"]
  dockerfile = "connect/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-connect:${CLICKPULSE_VERSION}"]
}

target "test-clickhouse" {
  inherits   = ["_common"]
  dockerfile = "clickhouse/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-clickhouse:${CLICKPULSE_VERSION}"]
}

target "test-s3" {
  inherits   = ["_common"]
  dockerfile = "s3/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-s3:${CLICKPULSE_VERSION}"]
}

target "test-spark" {
  inherits   = ["_common"]
  dockerfile = "spark/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-spark:${CLICKPULSE_VERSION}"]
}

target "test-airflow" {
  inherits   = ["_common"]
  dockerfile = "dags/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-airflow:${CLICKPULSE_VERSION}"]
}

target "test-producer" {
  inherits   = ["_common"]
  dockerfile = "producer/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-producer:${CLICKPULSE_VERSION}"]
}

target "test-report-api" {
  inherits   = ["_common"]
  dockerfile = "dashboard_api/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-report-api:${CLICKPULSE_VERSION}"]
}

target "test-dashboard" {
  inherits   = ["_common"]
  dockerfile = "dashboard_ui/Dockerfile"
  target     = "test"
  tags       = ["clickpulse/test-dashboard:${CLICKPULSE_VERSION}"]
}
