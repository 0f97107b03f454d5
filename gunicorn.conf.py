"""Apply the settings of `python -m quotes serve` to `gunicorn quotes.resources:api` started in this folder."""

from quotes import server

globals().update({name: value for name, value in vars(server).items() if not name.startswith("_")})
