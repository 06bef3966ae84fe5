"""Structured logs on stderr: for people on a terminal, JSON otherwise. Libraries' warnings join them."""

import logging
import sys
from contextlib import nullcontext
from typing import Any

from weft.kit.absent import absent

_LIBRARY_LEVEL = logging.WARNING


def set_up_logs(style: str = "auto") -> None:
    """Set the process's logs up: ``console``, ``json``, or ``auto`` by whether stderr is a terminal.

    Called before anything else logs: structlog loads what draws tracebacks on terminals (rich, 4 MB) with itself, if
    it is there, and nobody needs that in JSON.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    with nullcontext() if console else absent("rich"):
        import structlog
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *([] if console else [structlog.processors.format_exc_info]), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(processors=[_without_record, renderer], foreign_pre_chain=shared)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=_LIBRARY_LEVEL, force=True)


def _without_record(_: Any, __: str, event: Any) -> Any:
    import structlog

    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", event)
