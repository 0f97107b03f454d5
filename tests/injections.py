"""A library whose every word is an attempt to be taken for more than words."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quotes.importing.fields import Fields
from quotes.importing.run import import_files
from quotes.representations.xml import one_line

HIT = "window.hit=1"  # what a script of theirs would do

ATTACKS = (
    f"</blockquote></p></li></ol></section></main><script>{HIT}</script>",
    f"<img src=x onerror={HIT}>",
    f'"><svg onload={HIT}><rect/></svg>',
    f'" autofocus onfocus="{HIT}" x="',
    f"' onmouseover='{HIT}' style='position:fixed;inset:0' x='",
    f"` onclick={HIT} `",
    f"</title></head><body onload={HIT}>",
    f"</textarea><script>{HIT}</script>",
    f"</style></noscript></template><script>{HIT}//",
    f"&lt;script&gt;{HIT}&lt;/script&gt;",
    f"&amp;lt;img src=x onerror={HIT}&amp;gt; &amp;quot;",
    "<mark></mark><b>&lt;/mark&gt;<mark onclick=x>",
    f"<a href=javascript:{HIT}><base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;//evil.example>",
    f"javascript:{HIT}//",
    f"data:text/html,<script>{HIT}</script>",
    "//evil.example/?quote=1&date=2020-01-01#x",
    "../../daily?format=svg&width=240",
    "%22%3E%3Cscript%3E %00 %0d%0aSet-Cookie:x=1",
    "\r\nSet-Cookie: x=1\r\n\r\n<script>",
    f"</text></g><foreignObject><iframe srcdoc='<script>parent.{HIT}</script>'/>",
    "<image href='//evil.example/x.png'/><style>*{background:url(//evil.example)}</style>",
    f"<use href='data:image/svg+xml,#x'/><set attributeName='onload' to='{HIT}'/>",
    "]]></p></div></content></entry><entry><id>x</id></entry>",
    "<![CDATA[x]]><?xml-stylesheet href='//evil.example'?>",
    '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>&y;',
    "<!-- --><!-- --!> <!--",
    "{{ 7 * 7 }} {{ shown.quote.__class__ }} {% include 'page.html.j2' %} {# #}",
    "${7*7} #{7*7} <%= 7*7 %> {0} %(quote)s SERVER VERSION",
    f"](javascript:{HIT}) ![x](//evil.example/x.png) `x`",
    '\\"}]}, {"quote": "\\u003cscript>',
    "\ue000x\ue001 \u202egnol\u2066 \ufffe",
)


def write_library(folder: Path, texts: Sequence[str] = ATTACKS) -> list[dict[str, Any]]:
    """Import texts as quotes, as authors, as whatever a quote has, into a folder's `library.jsonl`.

    What import leaves out of ids is put into them afterwards, as an owner could who writes the file.

    Returns:
        The library's lines.
    """
    rows = [
        dict.fromkeys(("quote", "author", "category", "source", "speaker", "place", "translator", "id"), text)
        for text in (f"{text} attack {n}" for n, text in enumerate(texts))
    ]
    library = folder / "library.jsonl"
    (folder / "attacks.json").write_text(json.dumps(rows))
    import_files([folder / "attacks.json"], library, Fields(), is_replacing=True, say=lambda line: None)
    lines = [json.loads(line) for line in library.read_text("utf-8").strip("\n").split("\n")]
    lines = [line | {"id": one_line(row["id"])} for line, row in zip(lines, rows, strict=True)]
    library.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines
