"""gunicorn's configuration, for `python -m quotes serve` and for `gunicorn` started in the project's folder.

The names are gunicorn's (its documentation, "Settings"). Elsewhere, use `gunicorn --config python:quotes.server`.
"""

import os

from quotes.access_log import FORMAT

# Finding a quote takes well under a millisecond, but the upstream may take three seconds, and SNS seven.
workers = 2
threads = 16
worker_class = "quotes.slow_clients.Worker"
# Most systems limit a process to 1,024 open files, and a worker that accepts a connection beyond that dies.
worker_connections = 500
backlog = 512  # rather than wait long, clients should fail and retry

# RFC 9112, section 3, recommends at least 8,000; a parameter of 200 characters takes up to 2,400 bytes when encoded.
limit_request_line = 8190
limit_request_fields = 64  # a browser behind two proxies sends about thirty
limit_request_field_size = 8190  # a large token or cookie

timeout = 30  # seconds until a worker with a blocked main thread is replaced; slow_clients.py limits requests
graceful_timeout = 8  # seconds; Docker kills after ten
keepalive = 5  # seconds; idle connections occupy no thread. Behind a proxy, it has to exceed the proxy's own
max_requests = 0  # memory stays flat (`make soak`); restarting workers would only hide a leak
# Heartbeats update a file, which must not block on a disk (gunicorn's FAQ, "How do I avoid Gunicorn blocking?").
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108

# X-Forwarded-Proto is only trusted from a proxy on this machine, or in FORWARDED_ALLOW_IPS. Headers named SCRIPT_NAME
# and PATH_INFO are never trusted: a proxy that forwards all headers would let its clients set them.
forwarder_headers = ""
header_map = "drop"  # else X_Forwarded_Proto would pass for X-Forwarded-Proto

control_socket_disable = True  # it would create ~/.gunicorn
accesslog = "-"
access_log_format = FORMAT
logger_class = "quotes.access_log.AccessLog"
