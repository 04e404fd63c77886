"""The real Kafka and PostgreSQL of one machine, without a container engine and without root."""

from deploy.local.errors import LocalServerError
from deploy.local.kafka import KafkaServer, start_kafka
from deploy.local.pair import Servers, start_servers
from deploy.local.postgres import PostgresServer, start_postgres

__all__ = [
    "KafkaServer",
    "LocalServerError",
    "PostgresServer",
    "Servers",
    "start_kafka",
    "start_postgres",
    "start_servers",
]
