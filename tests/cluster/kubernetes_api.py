"""The few answers of a Kubernetes API that Snakemake's executor asks for; jobs run here, as commands.

This is no Kubernetes: nothing schedules, mounts or pulls. It shows what the executor sends, and that the commands it
sends do the work in a working folder that is empty at first, as in a pod.
"""

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
users: [{{name: me, user: {{token: none}}}}]
"""


class _Api(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.environment = dict(environment)
        self.sent: dict[str, dict[str, Any]] = {}  # jobs as they came
        self.done: dict[str, int] = {}  # exit status
        self.told: dict[str, str] = {}
        self.asked: set[tuple[str, str]] = set()  # verb and resource

    def start(self, job: dict[str, Any]) -> None:
        name, (container,) = job["metadata"]["name"], job["spec"]["template"]["spec"]["containers"]
        self.sent[name] = job

        def work() -> None:
            with tempfile.TemporaryDirectory() as folder:  # in place of the pod's empty working folder
                words = [*container["command"], *container["args"]]
                run = subprocess.run(words, cwd=folder, env=self.environment, capture_output=True, text=True)
            self.told[name] = run.stdout + run.stderr
            self.done[name] = run.returncode

        threading.Thread(target=work).start()


class _Handler(BaseHTTPRequestHandler):
    server: _Api

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _words(self) -> list[str]:
        """The path below the namespace: resource, name, subresource."""
        return self.path.partition("?")[0].partition("/namespaces/fd2lib/")[2].split("/")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (resource,) = self._words()
        self.server.asked.add(("create", resource))
        if resource == "jobs":
            self.server.start(body)
        self._answer(body, 201)

    def do_GET(self) -> None:
        resource, *rest = self._words()
        self.server.asked.add(("get" if rest else "list", "/".join([resource, *rest[1:]])))
        if resource == "pods":
            self._answer({"items": []})
            return
        status = self.server.done.get(rest[0])
        told = {} if status is None else {"failed": 1} if status else {"succeeded": 1}
        self._answer({"metadata": {"name": rest[0]}, "status": told})

    def do_DELETE(self) -> None:
        self.server.asked.add(("delete", self._words()[0]))
        self._answer({"status": "Success"})


@contextmanager
def kubernetes_api(folder: Path, environment: Mapping[str, str]) -> Iterator[_Api]:
    """Yield the server; ``folder/kubeconfig`` is how to reach it, and its jobs run in ``environment``."""
    with _Api(environment) as api:
        (folder / "kubeconfig").write_text(KUBECONFIG.format(port=api.server_port), encoding="utf-8")
        thread = threading.Thread(target=api.serve_forever)
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()
