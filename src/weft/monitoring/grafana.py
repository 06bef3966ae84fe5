"""Dashboards as Grafana's JSON (its dashboard model, ``schemaVersion`` 39, which Grafana 10 and later import)."""

from typing import Any

from weft.monitoring.control_plane import CONTROL_PLANE
from weft.monitoring.panels import Choice, Dashboard, Panel, Row, Shape
from weft.monitoring.traffic import MESH, SERVICE, WORKLOAD

DASHBOARDS = (MESH, SERVICE, WORKLOAD, CONTROL_PLANE)
SCHEMA = 39
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_HEIGHT, _WIDE = 8, 24
_NUMBER_HEIGHT = 4


def grafana(dashboard: Dashboard) -> dict[str, Any]:
    """One dashboard, for Grafana's import and for files that it is provisioned with."""
    return {
        "uid": dashboard.id,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["weft"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [_link()],
        "templating": {"list": [_datasource(), *(_choice(one) for one in dashboard.choices)]},
        "panels": _panels(dashboard.rows),
    }


def _link() -> dict[str, Any]:
    """The way to the other dashboards, with all that Grafana's schema asks of a link."""
    return {
        "type": "dashboards",
        "title": "weft",
        "tags": ["weft"],
        "icon": "external link",
        "tooltip": "",
        "asDropdown": True,
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _choice(choice: Choice) -> dict[str, Any]:
    query = f"label_values({choice.metric}, {choice.label})"
    return {
        "name": choice.name,
        "label": choice.title,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": choice.name},
        "refresh": 2,
        "sort": 1,
        "multi": choice.many,
        "includeAll": choice.many,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"} if choice.many else {},
        "hide": 0,
    }


def _panels(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Rows below each other, their panels from left to right."""
    made: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        place = {"h": 1, "w": _WIDE, "x": 0, "y": top}
        made.append({"id": len(made) + 1, "type": "row", "title": row.title, "collapsed": False, "gridPos": place})
        top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > _WIDE:
                left, top = 0, top + height
            height = _NUMBER_HEIGHT if panel.shape is Shape.NUMBER else _HEIGHT
            place = {"h": height, "w": panel.width, "x": left, "y": top}
            made.append(_panel(panel, len(made) + 1) | {"gridPos": place})
            left += panel.width
        top += height
    return made


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    custom = {"fillOpacity": 10, "showPoints": "never", "stacking": {"mode": "normal" if panel.stacked else "none"}}
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": custom if panel.shape is Shape.LINES else {}}
    if panel.steps:
        steps = [
            {"color": colour, "value": value if index else None} for index, (value, colour) in enumerate(panel.steps)
        ]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "id": number,
        "type": panel.shape.value,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "editorMode": "code",
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "range": True,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.shape is Shape.NUMBER:
        calculated = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": calculated, "colorMode": "value", "graphMode": "area"}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
