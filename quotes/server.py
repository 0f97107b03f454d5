"""How gunicorn serves: `python -m quotes serve` and, where it is started in the project's folder, `gunicorn` itself.

Names are gunicorn's (its documentation, "Settings"). From elsewhere: `gunicorn --config python:quotes.server`.
"""

import os

from quotes.access_log import FORMAT

# Quotes are found in well under a millisecond, but an upstream may take three seconds and SNS seven.
workers = 2
threads = 16
worker_class = "quotes.slow_clients.Worker"
# A process may have 1,024 files open on most systems, and accepting one more ends a worker.
worker_connections = 500
backlog = 512  # what cannot be answered soon had better fail at the client

# RFC 9112, section 3, recommends 8,000 at least; parameters of 200 letters take up to 2,400 bytes each, encoded.
limit_request_line = 8190
limit_request_fields = 64  # a browser behind two proxies sends about thirty
limit_request_field_size = 8190  # a large token or cookie

timeout = 30  # seconds; a worker whose main thread hangs is replaced. Requests are bounded in slow_clients.py
graceful_timeout = 8  # seconds; Docker kills after ten
keepalive = 5  # seconds; an idle connection takes no thread. Behind a proxy that keeps its own: more than the proxy's
max_requests = 0  # memory stays flat (`make soak`), and a restart would only hide it if it did not
# Heartbeats are file changes, which must not wait for a disk (gunicorn's FAQ, "How do I avoid Gunicorn blocking?").
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108

# X-Forwarded-Proto counts from this machine alone, where the proxy is; FORWARDED_ALLOW_IPS names others. Headers named
# SCRIPT_NAME and PATH_INFO count from nobody: a proxy that hands on all headers would let its clients set them.
forwarder_headers = ""
header_map = "drop"  # X_Forwarded_Proto is not X-Forwarded-Proto

control_socket_disable = True  # it would make ~/.gunicorn
accesslog = "-"
access_log_format = FORMAT
logger_class = "quotes.access_log.AccessLog"
