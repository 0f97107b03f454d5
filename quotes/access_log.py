"""A log of requests without what was asked for: a query may hold a number and a code.

gunicorn quotes.resources:api --access-logfile - --logger-class quotes.access_log.AccessLog
"""

import datetime as dt
from typing import Any

from gunicorn.glogging import Logger

from quotes.redaction import unrouted

FORMAT = '%(h)s "%(r)s" %(s)s %(B)s bytes %(M)s ms %({quotes.whence}e)s'


class AccessLog(Logger):
    """Write what gunicorn writes, without queries: neither a request's own nor that of the page before."""

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: dt.timedelta) -> Any:
        """Return what a line is made of (gunicorn's settings, `access_log_format`)."""
        atoms: Any = super().atoms(resp, req, environ, request_time)
        path = environ["RAW_URI"].partition("?")[0]
        if not environ.get("quotes.route"):
            path = unrouted(path)
        atoms["r"] = f"{environ['REQUEST_METHOD']} {path} {environ['SERVER_PROTOCOL']}"
        atoms["U"], atoms["q"] = path, ""
        atoms["f"] = atoms["{referer}i"] = str(environ.get("HTTP_REFERER", "-")).partition("?")[0]
        for name in ("{raw_uri}e", "{query_string}e", "{http_referer}e"):
            atoms[name] = "-"
        return atoms

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Write a warning; of a request that cannot be understood, who sent it and nothing of what it says."""
        text = str(msg)
        super().warning(text.partition(": ")[0] if text.startswith("Invalid request from") else msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Write an error that came about outside the application, whose arguments hold the request's URL."""
        super().exception(msg, *(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in args), **kwargs)
