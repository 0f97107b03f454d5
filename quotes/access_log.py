"""gunicorn's access log without queries, which may contain a phone number and a code.

gunicorn quotes.resources:api --access-logfile - --logger-class quotes.access_log.AccessLog
"""

import datetime as dt
from typing import Any

from gunicorn.glogging import Logger

from quotes.redaction import unrouted

FORMAT = '%(h)s "%(r)s" %(s)s %(B)s bytes %(M)s ms %({quotes.whence}e)s'


class AccessLog(Logger):
    """Log as gunicorn does, but without queries: neither the request's nor the referrer's."""

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: dt.timedelta) -> Any:
        """Return the fields that a line is formatted from (gunicorn's settings, `access_log_format`)."""
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
        """Log a warning; about an invalid request, only the client's address and nothing from the request."""
        text = str(msg)
        super().warning(text.partition(": ")[0] if text.startswith("Invalid request from") else msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an error outside the application, without the query of the URL among its arguments."""
        super().exception(msg, *(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in args), **kwargs)
