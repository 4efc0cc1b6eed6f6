"""Spark on this machine, started once for all tests that ask it: it takes a while."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from potluck.owner.spark import ALONE, QUIET

MASTER = "local[2]"


def missing() -> str:
    """Why Spark cannot be started here; empty if it can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (pip install 'potluck[spark]')"
    if shutil.which("java") is None:
        return "Java is not installed (apt-get install default-jre-headless)"
    return ""


@contextmanager
def running() -> Iterator[object]:
    """A session. Sources find that Spark runs, and leave it running."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(MASTER).appName("tests")
    for key, value in {**ALONE, **QUIET, "spark.driver.memory": "1g"}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
