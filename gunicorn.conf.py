"""Make `gunicorn quotes.resources:api`, started in this folder, serve as `python -m quotes serve` does."""

from quotes import server

globals().update({name: value for name, value in vars(server).items() if not name.startswith("_")})
