"""One project's Prometheus: its files, its process, and its answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from sandbox.home import write_private
from sandbox.kubernetes import processes
from sandbox.kubernetes.ports import free_port
from sandbox.traffic.metrics.scrape_jobs import ScrapeJob

Json = dict[str, Any]
NAME = "prometheus"
_log = logging.getLogger("sandbox.traffic.metrics")
_SECONDS_TO_START = 30.0
_ENVIRONMENT = {"GOMEMLIMIT": "128MiB", "GOGC": "50"}
"""A rehearsal has some hundred series; Go's default would let the heap double before it cleans."""
GOOGLE_JOB = "google"
GOOGLE_INTERVAL = "10s"
"""Between two readings of the series that Google's services write."""


class PrometheusError(Exception):
    """It does not run. `str()` is one line."""


class Prometheus:
    """A Prometheus process with its data in a folder of its own."""

    def __init__(self, folder: Path, *, google: str) -> None:
        """`google` is the address of the page with the series of Google's services."""
        self._folder = folder
        self._google = google
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._written: dict[str, str] = {}
        self._jobs: dict[str, ScrapeJob] = {}
        self._http = httpx.AsyncClient(timeout=10, trust_env=False)
        self._lock = asyncio.Lock()
        self._is_stopped = False

    @property
    def _configuration(self) -> Path:
        return self._folder / "prometheus.json"

    @property
    def log(self) -> Path:
        """Its log file."""
        return self._folder / "prometheus.log"

    async def scrape(self, jobs: Sequence[ScrapeJob], binary: Path) -> None:
        """Scrape these from now on; starts the process if it does not run.

        Raises PrometheusError, OSError.
        """
        async with self._lock:
            if self._is_stopped:
                raise PrometheusError("the sandbox ends")
            is_changed = await asyncio.to_thread(self._write, jobs)
            if self._process is None or self._process.poll() is not None:
                await self._start(binary)
            elif is_changed:
                self._process.send_signal(signal.SIGHUP)

    async def ask(self, path: str, parameters: Mapping[str, str | list[str]]) -> tuple[int, bytes]:
        """Status and body of an API call, such as `api/v1/query`. Raises PrometheusError."""
        try:
            answer = await self._http.post(f"{self._address}/{path}", data=dict(parameters))
        except httpx.HTTPError as error:
            raise PrometheusError(f"Prometheus does not answer: {error}; see {self.log}") from error
        return answer.status_code, answer.content

    async def get(self, path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        """As `ask`, for calls that have no POST. Raises PrometheusError."""
        try:
            answer = await self._http.get(f"{self._address}/{path}", params=dict(parameters))
        except httpx.HTTPError as error:
            raise PrometheusError(f"Prometheus does not answer: {error}; see {self.log}") from error
        return answer.status_code, answer.content

    async def stop(self) -> None:
        """End the process for good; its data stays."""
        self._is_stopped = True
        async with self._lock:
            await asyncio.to_thread(self._end)
        await self._http.aclose()

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _write(self, jobs: Sequence[ScrapeJob]) -> bool:
        """Write targets and configuration; whether the configuration has changed.

        Prometheus reads changed targets by itself.
        """
        targets = self._folder / "targets"
        targets.mkdir(parents=True, exist_ok=True)
        configured = [self._google_job()]
        # The series of a target that is gone end two intervals later; those of a job that is gone
        # would be answered for five minutes. So a job stays, without targets.
        ended = {name: replace(job, targets=()) for name, job in self._jobs.items()}
        self._jobs = ended | {job.name: job for job in jobs}
        for job in self._jobs.values():
            file = targets / f"{job.name.replace('/', '_')}.json"
            groups = [{"targets": [address], "labels": labels} for address, labels in job.targets]
            self._put(file, json.dumps(groups))
            configured.append(
                {
                    "job_name": job.name,
                    **job.settings,
                    "file_sd_configs": [{"files": [str(file)]}],
                }
            )
        # YAML is a superset of JSON.
        return self._put(self._configuration, json.dumps({"scrape_configs": configured}))

    def _put(self, file: Path, text: str) -> bool:
        if self._written.get(file.name) == text:
            return False
        write_private(file, text)
        self._written[file.name] = text
        return True

    def _google_job(self) -> Json:
        address = httpx.URL(self._google)
        target = address.netloc.decode()
        return {
            "job_name": GOOGLE_JOB,
            "honor_labels": True,
            "scrape_interval": GOOGLE_INTERVAL,
            "scrape_timeout": GOOGLE_INTERVAL,
            "metrics_path": address.path,
            "static_configs": [{"targets": [target]}],
            # Google's series have neither, but for what its own collectors scrape.
            "metric_relabel_configs": [
                {"source_labels": [name], "regex": ours, "target_label": name, "replacement": ""}
                for name, ours in (("job", GOOGLE_JOB), ("instance", re.escape(target)))
            ],
        }

    async def _start(self, binary: Path) -> None:
        await asyncio.to_thread(self._end)
        program = self._folder / "bin" / NAME
        program.parent.mkdir(exist_ok=True)
        program.unlink(missing_ok=True)
        try:
            program.symlink_to(binary)
        except OSError:  # the file system does not support links
            shutil.copy2(binary, program)
        self._port = free_port()
        arguments = [
            str(program),
            f"--config.file={self._configuration}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            "--storage.tsdb.retention.time=6h",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                arguments,
                env={"HOME": str(self._folder), "PATH": os.defpath, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(_SECONDS_TO_START):
            while not await self._is_ready():
                if self._process.poll() is not None:
                    raise PrometheusError(f"Prometheus ended while it started; see {self.log}")
                await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return (await self._http.get(f"{self._address}/-/ready")).status_code == 200
        return False

    def _end(self) -> None:
        """End the process, and one that an earlier daemon left."""
        for process, name in processes.below(self._folder).items():
            if name == NAME:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
                    process.wait(5)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        self._process = None
