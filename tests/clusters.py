"""A Spark cluster of one's own, as long as a test needs it: a master and two workers, each a process."""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

WORKERS = 2
_STARTED = re.compile(r"Starting Spark master at (spark://\S+)")


@contextmanager
def spark() -> Iterator[str]:
    """The address of a new standalone cluster's master. Skips where pyspark or Java is not installed."""
    home = _home()
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    folder = Path(tempfile.mkdtemp(prefix="spark"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        log = _start(stack, home, folder, "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        master = _wait(log, _STARTED)
        logs = []
        for number in range(WORKERS):
            size = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"work{number}"))
            place = ("--host", "127.0.0.1", "--webui-port", "0")
            logs.append(_start(stack, home, folder, "worker.Worker", *place, *size, master, name=f"worker{number}"))
        for log in logs:
            _wait(log, re.compile(r"(Successfully registered with master)"))
        yield master


def _home() -> Path:
    try:
        import pyspark
    except ImportError:
        pytest.skip("the extra `spark` is not installed")
    return Path(pyspark.__file__).parent


def _scala(home: Path) -> str:
    """The version of Scala that its jars are made for, which Spark's own scripts tell its programs."""
    [library] = (home / "jars").glob("scala-library-*.jar")
    return ".".join(library.stem.removeprefix("scala-library-").split(".")[:2])


def _start(stack: ExitStack, home: Path, folder: Path, kind: str, *words: str, name: str = "master") -> Path:
    log = folder / f"{name}.log"
    java = ["java", "-Xmx512m", "-cp", f"{home / 'jars'}/*", f"org.apache.spark.deploy.{kind}", *words]
    with log.open("w") as file:
        env = {**os.environ, "SPARK_HOME": str(home), "SPARK_SCALA_VERSION": _scala(home)}
        process = subprocess.Popen(java, stdout=file, stderr=subprocess.STDOUT, cwd=folder, env=env)
    stack.callback(_stop, process)
    return log


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(log: Path, wanted: re.Pattern[str], seconds: float = 300) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := wanted.search(log.read_text()):
            return found[1]
        time.sleep(0.2)
    raise TimeoutError(f"the cluster does not start:\n{log.read_text()[-2000:]}")


@cache
def shared_spark() -> str:
    """One cluster for all tests of a process: the address of its master; stopped when the process ends."""
    held = ExitStack()
    master = held.enter_context(spark())

    @atexit.register
    def stop() -> None:
        from pyspark.sql import SparkSession

        if (session := SparkSession.getActiveSession()) is not None:
            session.stop()
        held.close()

    return master
