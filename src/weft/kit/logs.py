"""Structured logs on stderr: for people on a terminal, JSON otherwise. Libraries' warnings join them."""

import importlib
import logging
import sys
from contextlib import nullcontext
from typing import Any

from weft.kit.absent import absent

_LIBRARY_LEVEL = logging.WARNING


def load(style: str) -> None:
    """Load structlog, to be called before anything else does.

    With itself it loads what draws tracebacks on terminals (rich, 4 MB) if it is there; nobody needs that in JSON.
    """
    with nullcontext() if _for_people(style) else absent("rich"):
        importlib.import_module("structlog")


def _for_people(style: str) -> bool:
    return style == "console" or (style == "auto" and sys.stderr.isatty())


def set_up_logs(style: str = "auto") -> None:
    """Set the process's logs up: ``console``, ``json``, or ``auto`` by whether stderr is a terminal."""
    import structlog

    console = _for_people(style)
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
