"""Queries that dashboards and canary tools ask, and the corners of the language."""

_OK = 'reporter="destination",destination_service=~"reviews.*",response_code!~"5.*"'
_ALL = 'reporter="destination",destination_service=~"reviews.*"'
_BUCKETS = "istio_request_duration_milliseconds_bucket"

CANARY = (
    f"sum(rate(istio_requests_total{{{_OK}}}[1m])) / sum(rate(istio_requests_total{{{_ALL}}}[1m])) * 100",
    f"histogram_quantile(0.99, sum(rate({_BUCKETS}{{{_ALL}}}[1m])) by (le))",
    f"histogram_quantile(0.5, sum(irate({_BUCKETS}{{{_ALL}}}[5m])) by (le, destination_version)) / 1000",
    "sum(increase(istio_requests_total[10m])) by (source_workload, destination_service)",
    '100 - sum(rate(istio_requests_total{response_code!~"5.*"}[5m])) / sum(rate(istio_requests_total[5m])) * 100',
    'label_join(sum(rate(istio_requests_total[5m])) by (source_workload, response_code), "edge", "/", '
    '"source_workload", "response_code")',
    'round(sum(irate(istio_requests_total{destination_service!="unknown"}[2m])) by (destination_service), 0.001)',
    "(sum(rate(istio_requests_total[1m])) or vector(0)) > 0",
    "topk(2, sum by (source_workload) (rate(istio_requests_total[5m])))",
    "sum(rate(istio_requests_total[5m])) by (response_code) / ignoring (response_code) group_left "
    "sum(rate(istio_requests_total[5m]))",
)

RANGES = tuple(
    f"{function}({selector})"
    for function in ("rate", "increase", "irate", "resets", "changes", "count_over_time", "last_over_time")
    for selector in ("istio_requests_total[1m]", "istio_requests_total[7m13s]", "istio_requests_total[5m] offset 3m")
) + tuple(
    f"{function}({selector})"
    for function in (
        "delta", "idelta", "deriv", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time",
        "stddev_over_time", "stdvar_over_time", "present_over_time",
    )
    for selector in ('temperature{instance!="c"}[3m]', "capacity[90s]", "temperature[20m] offset -1m")
)  # fmt: skip

LANGUAGE = (
    "1 + 2 * 3 ^ 2 ^ 0.5 % 4",
    "1 / 0", "-1 / 0", "0 / 0", "5 % 0", "1 > bool 2",
    "time()", "vector(time())", "pi()",
    "temperature", "temperature offset 10m", "-temperature", "temperature @ 1700001800", "temperature @ end()",
    "temperature > 0", "0 < temperature", "temperature > bool 0", "temperature == temperature",
    "temperature * 2", "2 ^ temperature", "temperature % 7", "temperature atan2 capacity",
    "temperature * on(zone) group_left(size) capacity", "capacity * on(zone) group_right temperature",
    "temperature and on(zone) capacity", "temperature unless on(zone) capacity", "temperature or capacity",
    "capacity or on(zone) temperature", "temperature > capacity", "temperature > ignoring(instance) capacity",
    "sum(temperature)", "sum by (zone) (temperature)", "sum without (instance) (temperature)",
    "avg(temperature{instance!=\"c\"})", "min(temperature)", "max(temperature)", "count(temperature)",
    "group(temperature)", "stddev(temperature{instance!=\"c\"})", "stdvar by (zone) (temperature{instance!=\"c\"})",
    "quantile(0.3, temperature{instance!=\"c\"})", "quantile(1.5, temperature)", "quantile by (zone) (0, capacity)",
    "count_values(\"v\", capacity)", "bottomk(1, temperature{instance!=\"c\"})", "topk(5, capacity)",
    "topk by (zone) (1, temperature{instance!=\"c\"})",
    "abs(temperature)", "ceil(temperature)", "floor(temperature)", "exp(temperature)", "sqrt(temperature)",
    "ln(temperature)", "log2(capacity)", "log10(capacity)", "sgn(temperature)", "deg(capacity)", "rad(capacity)",
    "sin(temperature)", "acos(capacity)", "tanh(temperature)",
    "round(temperature)", "round(temperature, 0.3)", "clamp(temperature, -3, 3)", "clamp_min(temperature, 1)",
    "clamp_max(temperature, 1)", "clamp(temperature, 3, -3)",
    "scalar(capacity)", "scalar(temperature)", "timestamp(temperature)", "timestamp(temperature + 1)",
    "sort(temperature{instance!=\"c\"})", "sort_desc(temperature{instance!=\"c\"})",
    "absent(temperature)", "absent(nothing{a=\"b\",c=~\"d\"})", "absent_over_time(nothing{a=\"b\"}[5m])",
    "absent_over_time(istio_requests_total{response_code=\"503\"}[5m])",
    "hour()", "minute(vector(1700000000))", "day_of_week()", "day_of_month()", "days_in_month()", "month()", "year()",
    "day_of_year()",
    "label_replace(temperature, \"place\", \"$1-x\", \"instance\", \"(a|b)\")",
    "label_replace(temperature, \"instance\", \"\", \"instance\", \"a\")",
    "max_over_time(rate(istio_requests_total[1m])[9m59s:30s])",
    "sum_over_time(sum(capacity)[4m59s:1m] offset 2m)",
    "quantile_over_time(0.9, capacity[10m])", "predict_linear(capacity[10m], 600)",
    "histogram_quantile(0.9, istio_request_duration_milliseconds_bucket)",
    "histogram_quantile(-1, capacity)", "histogram_quantile(2, istio_request_duration_milliseconds_bucket)",
    "{__name__=~\"temp.*|capacity\"}", "temperature{zone=~\"x|z\"}", "temperature{missing=\"\"}",
    "sum(rate(istio_requests_total[5m])) by (nothing)",
    "\"text\"", "NaN", "Inf",
)  # fmt: skip

WRONG = (
    "sum(", "rate(temperature)", "temperature[5m]", "temperature + \"x\"", "nothing_known(temperature)", "{}",
    "temperature + on(zone) temperature", "temperature * on(zone) capacity * on(zone) temperature",
    "label_replace(temperature, \"9\", \"\", \"zone\", \"\")",
    "label_replace(temperature, \"a\", \"\", \"zone\", \"(\")",
    "temperature{zone=~\"(\"}", "1 > 2",
)  # fmt: skip
